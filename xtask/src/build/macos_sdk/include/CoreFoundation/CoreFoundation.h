/* The types of CoreFoundation that C code hands on, and how it gives them back, by the documented interface. */
#ifndef BOWLINE_COREFOUNDATION_H
#define BOWLINE_COREFOUNDATION_H

#include <MacTypes.h>

typedef long CFIndex;
typedef UInt32 CFStringEncoding;
typedef const void *CFTypeRef;
typedef const struct __CFAllocator *CFAllocatorRef;
typedef const struct __CFArray *CFArrayRef;
typedef const struct __CFData *CFDataRef;
typedef const struct __CFDictionary *CFDictionaryRef;
typedef const struct __CFString *CFStringRef;

#ifdef __cplusplus
extern "C" {
#endif

extern const CFAllocatorRef kCFAllocatorDefault;
CFTypeRef CFRetain(CFTypeRef object);
void CFRelease(CFTypeRef object);

#ifdef __cplusplus
}
#endif

#endif
