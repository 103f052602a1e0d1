#include "knot.h"

uint32_t knot_sum(const struct knot *knot) {
    return knot->turns + knot->ends;
}
