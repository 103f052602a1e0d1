/* What the system knows of its network, as curl asks for it, by the documented interface. */
#ifndef BOWLINE_SCDYNAMICSTORECOPYSPECIFIC_H
#define BOWLINE_SCDYNAMICSTORECOPYSPECIFIC_H

#include <CoreFoundation/CoreFoundation.h>

typedef const struct __SCDynamicStore *SCDynamicStoreRef;

#ifdef __cplusplus
extern "C" {
#endif

CFDictionaryRef SCDynamicStoreCopyProxies(SCDynamicStoreRef store);
CFStringRef SCDynamicStoreCopyLocalHostName(SCDynamicStoreRef store);
CFStringRef SCDynamicStoreCopyComputerName(SCDynamicStoreRef store, CFStringEncoding *encoding);

#ifdef __cplusplus
}
#endif

#endif
