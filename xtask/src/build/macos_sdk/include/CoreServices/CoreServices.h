/* Only what CoreServices passes on: C code that includes it, such as the jitterentropy of AWS-LC, uses mach's clocks. */
#ifndef BOWLINE_CORESERVICES_H
#define BOWLINE_CORESERVICES_H

#include <CoreFoundation/CoreFoundation.h>

#endif
