#include <stdint.h>

#define KNOT_ENDS 2

struct knot {
    uint32_t turns;
    uint32_t ends;
};

uint32_t knot_sum(const struct knot *knot);
