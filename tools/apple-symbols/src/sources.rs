//! Which crates declare what macOS's libraries export, and where those libraries lie on a Mac.

/// Crates that were generated from Apple's headers, their versions, and the library that a block stands for which
/// names none. An empty name means the only library that the crate links.
pub(crate) const GENERATED: [(&str, &str, &str); 35] = [
    ("objc2-core-foundation", "0.3.2", ""),
    ("objc2-foundation", "0.3.2", "Foundation"),
    ("objc2-security", "0.3.2", ""),
    ("objc2-system-configuration", "0.3.2", ""),
    ("objc2-io-kit", "0.3.2", ""),
    ("objc2-core-services", "0.3.2", ""),
    ("objc2-app-kit", "0.3.2", "AppKit"),
    ("objc2-application-services", "0.3.2", ""),
    ("objc2-core-graphics", "0.3.2", ""),
    ("objc2-core-text", "0.3.2", ""),
    ("objc2-core-wlan", "0.3.2", ""),
    ("objc2-core-location", "0.3.2", ""),
    ("objc2-core-audio", "0.3.2", ""),
    ("objc2-core-media", "0.3.2", ""),
    ("objc2-core-video", "0.3.2", ""),
    ("objc2-audio-toolbox", "0.3.2", ""),
    ("objc2-metal", "0.3.2", ""),
    ("objc2-metal-performance-shaders", "0.3.2", ""),
    ("objc2-quartz-core", "0.3.2", ""),
    ("objc2-image-io", "0.3.2", ""),
    ("objc2-io-surface", "0.3.2", ""),
    ("objc2-local-authentication", "0.3.2", ""),
    ("objc2-open-directory", "0.3.2", ""),
    ("objc2-user-notifications", "0.3.2", ""),
    ("objc2-service-management", "0.3.2", ""),
    ("objc2-disk-arbitration", "0.3.2", ""),
    ("objc2-cf-network", "0.3.2", ""),
    ("objc2-core-ml", "0.3.2", ""),
    ("objc2-core-data", "0.3.2", ""),
    ("objc2-video-toolbox", "0.3.2", ""),
    ("objc2-virtualization", "0.3.2", ""),
    ("objc2-uniform-type-identifiers", "0.3.2", ""),
    ("objc2-color-sync", "0.3.2", ""),
    ("objc2-open-gl", "0.3.2", ""),
    ("objc2-security-foundation", "0.3.2", ""),
];

/// Crates that were written by hand, in the same form. They add only what no generated crate declares, because some of
/// them declare symbols of other libraries in passing.
pub(crate) const WRITTEN_BY_HAND: [(&str, &str, &str); 22] = [
    ("core-foundation-sys", "0.8.7", ""),
    ("security-framework-sys", "2.17.0", ""),
    ("system-configuration-sys", "0.6.0", ""),
    ("fsevent-sys", "5.2.0", ""),
    ("core-graphics", "0.25.0", ""),
    ("core-graphics-types", "0.2.0", ""),
    ("core-text", "22.0.0", ""),
    ("metal", "0.33.0", ""),
    ("cocoa-foundation", "0.2.1", "Foundation"),
    ("cocoa", "0.27.0", "AppKit"),
    ("accessibility-sys", "0.2.0", ""),
    ("objc-sys", "0.3.5", "objc"),
    ("objc2", "0.6.5", "objc"),
    ("objc", "0.2.7", "objc"),
    ("libz-sys", "1.1.33", "z"),
    ("bzip2-sys", "0.1.13+1.0.8", "bz2"),
    ("libsqlite3-sys", "0.40.0", "sqlite3"),
    ("curl-sys", "0.4.91+curl-8.22.0", "curl"),
    ("pcap", "2.5.0", "pcap"),
    ("pam-sys", "0.5.6", "pam"),
    ("cblas-sys", "0.3.0", "Accelerate"),
    ("lapack-sys", "0.15.0", "Accelerate"),
];

/// The frameworks for which there is a stub, some without symbols, because code that calls Objective-C finds its
/// classes when it runs.
pub(crate) const FRAMEWORKS: [(&str, &str); 52] = [
    ("Accelerate", "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate"),
    ("AppKit", "/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit"),
    (
        "ApplicationServices",
        "/System/Library/Frameworks/ApplicationServices.framework/Versions/A/ApplicationServices",
    ),
    ("AudioToolbox", "/System/Library/Frameworks/AudioToolbox.framework/Versions/A/AudioToolbox"),
    ("AudioUnit", "/System/Library/Frameworks/AudioUnit.framework/Versions/A/AudioUnit"),
    ("Carbon", "/System/Library/Frameworks/Carbon.framework/Versions/A/Carbon"),
    ("CFNetwork", "/System/Library/Frameworks/CFNetwork.framework/Versions/A/CFNetwork"),
    ("Cocoa", "/System/Library/Frameworks/Cocoa.framework/Versions/A/Cocoa"),
    ("ColorSync", "/System/Library/Frameworks/ColorSync.framework/Versions/A/ColorSync"),
    ("CoreAudio", "/System/Library/Frameworks/CoreAudio.framework/Versions/A/CoreAudio"),
    (
        "CoreBluetooth",
        "/System/Library/Frameworks/CoreBluetooth.framework/Versions/A/CoreBluetooth",
    ),
    ("CoreData", "/System/Library/Frameworks/CoreData.framework/Versions/A/CoreData"),
    (
        "CoreFoundation",
        "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
    ),
    ("CoreGraphics", "/System/Library/Frameworks/CoreGraphics.framework/Versions/A/CoreGraphics"),
    ("CoreImage", "/System/Library/Frameworks/CoreImage.framework/Versions/A/CoreImage"),
    ("CoreLocation", "/System/Library/Frameworks/CoreLocation.framework/Versions/A/CoreLocation"),
    ("CoreMedia", "/System/Library/Frameworks/CoreMedia.framework/Versions/A/CoreMedia"),
    ("CoreML", "/System/Library/Frameworks/CoreML.framework/Versions/A/CoreML"),
    ("CoreServices", "/System/Library/Frameworks/CoreServices.framework/Versions/A/CoreServices"),
    ("CoreText", "/System/Library/Frameworks/CoreText.framework/Versions/A/CoreText"),
    ("CoreVideo", "/System/Library/Frameworks/CoreVideo.framework/Versions/A/CoreVideo"),
    ("CoreWLAN", "/System/Library/Frameworks/CoreWLAN.framework/Versions/A/CoreWLAN"),
    (
        "DirectoryService",
        "/System/Library/Frameworks/DirectoryService.framework/Versions/A/DirectoryService",
    ),
    (
        "DiskArbitration",
        "/System/Library/Frameworks/DiskArbitration.framework/Versions/A/DiskArbitration",
    ),
    ("Foundation", "/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation"),
    ("GSS", "/System/Library/Frameworks/GSS.framework/Versions/A/GSS"),
    ("Hypervisor", "/System/Library/Frameworks/Hypervisor.framework/Versions/A/Hypervisor"),
    ("ImageIO", "/System/Library/Frameworks/ImageIO.framework/Versions/A/ImageIO"),
    ("IOKit", "/System/Library/Frameworks/IOKit.framework/Versions/A/IOKit"),
    ("IOSurface", "/System/Library/Frameworks/IOSurface.framework/Versions/A/IOSurface"),
    (
        "JavaScriptCore",
        "/System/Library/Frameworks/JavaScriptCore.framework/Versions/A/JavaScriptCore",
    ),
    ("Kerberos", "/System/Library/Frameworks/Kerberos.framework/Versions/A/Kerberos"),
    ("LDAP", "/System/Library/Frameworks/LDAP.framework/Versions/A/LDAP"),
    (
        "LocalAuthentication",
        "/System/Library/Frameworks/LocalAuthentication.framework/Versions/A/LocalAuthentication",
    ),
    ("Metal", "/System/Library/Frameworks/Metal.framework/Versions/A/Metal"),
    ("MetalKit", "/System/Library/Frameworks/MetalKit.framework/Versions/A/MetalKit"),
    (
        "MetalPerformanceShaders",
        "/System/Library/Frameworks/MetalPerformanceShaders.framework/Versions/A/MetalPerformanceShaders",
    ),
    ("Network", "/System/Library/Frameworks/Network.framework/Versions/A/Network"),
    ("OpenCL", "/System/Library/Frameworks/OpenCL.framework/Versions/A/OpenCL"),
    (
        "OpenDirectory",
        "/System/Library/Frameworks/OpenDirectory.framework/Versions/A/OpenDirectory",
    ),
    ("OpenGL", "/System/Library/Frameworks/OpenGL.framework/Versions/A/OpenGL"),
    ("OSLog", "/System/Library/Frameworks/OSLog.framework/Versions/A/OSLog"),
    ("QuartzCore", "/System/Library/Frameworks/QuartzCore.framework/Versions/A/QuartzCore"),
    ("Security", "/System/Library/Frameworks/Security.framework/Versions/A/Security"),
    (
        "SecurityFoundation",
        "/System/Library/Frameworks/SecurityFoundation.framework/Versions/A/SecurityFoundation",
    ),
    (
        "ServiceManagement",
        "/System/Library/Frameworks/ServiceManagement.framework/Versions/A/ServiceManagement",
    ),
    (
        "SystemConfiguration",
        "/System/Library/Frameworks/SystemConfiguration.framework/Versions/A/SystemConfiguration",
    ),
    (
        "UniformTypeIdentifiers",
        "/System/Library/Frameworks/UniformTypeIdentifiers.framework/Versions/A/UniformTypeIdentifiers",
    ),
    (
        "UserNotifications",
        "/System/Library/Frameworks/UserNotifications.framework/Versions/A/UserNotifications",
    ),
    ("VideoToolbox", "/System/Library/Frameworks/VideoToolbox.framework/Versions/A/VideoToolbox"),
    (
        "Virtualization",
        "/System/Library/Frameworks/Virtualization.framework/Versions/A/Virtualization",
    ),
    ("vmnet", "/System/Library/Frameworks/vmnet.framework/Versions/A/vmnet"),
];

/// The other libraries, besides libSystem and libiconv, whose stubs zig and cargo-zigbuild bring.
pub(crate) const LIBRARIES: [(&str, &str); 11] = [
    ("bz2", "/usr/lib/libbz2.1.0.dylib"),
    ("compression", "/usr/lib/libcompression.dylib"),
    ("curl", "/usr/lib/libcurl.4.dylib"),
    ("edit", "/usr/lib/libedit.3.dylib"),
    ("objc", "/usr/lib/libobjc.A.dylib"),
    ("pam", "/usr/lib/libpam.2.dylib"),
    ("pcap", "/usr/lib/libpcap.A.dylib"),
    ("resolv", "/usr/lib/libresolv.9.dylib"),
    ("sandbox", "/usr/lib/libsandbox.1.dylib"),
    ("sqlite3", "/usr/lib/libsqlite3.dylib"),
    ("z", "/usr/lib/libz.1.dylib"),
];

/// What no crate declares: the functions of `resolv.h`, which that header gives other names, those of
/// `bzlib.h`, `compression.h`, `sandbox.h` and of line editors, by their manuals.
pub(crate) const BY_HAND: [(&str, &[&str]); 5] = [
    (
        "bz2",
        &[
            "BZ2_bzBuffToBuffCompress",
            "BZ2_bzBuffToBuffDecompress",
            "BZ2_bzCompress",
            "BZ2_bzCompressEnd",
            "BZ2_bzCompressInit",
            "BZ2_bzDecompress",
            "BZ2_bzDecompressEnd",
            "BZ2_bzDecompressInit",
            "BZ2_bzlibVersion",
        ],
    ),
    (
        "resolv",
        &[
            "res_9_dn_comp",
            "res_9_dn_expand",
            "res_9_dn_skipname",
            "res_9_getservers",
            "res_9_init",
            "res_9_mkquery",
            "res_9_nclose",
            "res_9_ndestroy",
            "res_9_ninit",
            "res_9_nmkquery",
            "res_9_nquery",
            "res_9_nsearch",
            "res_9_nsend",
            "res_9_ns_initparse",
            "res_9_ns_parserr",
            "res_9_query",
            "res_9_search",
            "res_9_send",
        ],
    ),
    (
        "compression",
        &[
            "compression_decode_buffer",
            "compression_decode_scratch_buffer_size",
            "compression_encode_buffer",
            "compression_encode_scratch_buffer_size",
            "compression_stream_destroy",
            "compression_stream_init",
            "compression_stream_process",
        ],
    ),
    ("sandbox", &["sandbox_free_error", "sandbox_init"]),
    (
        "edit",
        &[
            "add_history",
            "clear_history",
            "el_end",
            "el_gets",
            "el_init",
            "el_set",
            "readline",
            "using_history",
        ],
    ),
];

/// Frameworks and the libraries whose symbols they pass on. Binaries from before those libraries were moved out of them
/// still rely on it.
pub(crate) const RE_EXPORTS: [(&str, &[&str]); 5] = [
    ("ApplicationServices", &["ColorSync", "CoreGraphics", "CoreText", "ImageIO"]),
    ("Carbon", &["ApplicationServices", "CoreServices"]),
    ("Cocoa", &["AppKit", "CoreData", "Foundation"]),
    ("CoreServices", &["CFNetwork"]),
    ("Foundation", &["CoreFoundation", "objc"]),
];
