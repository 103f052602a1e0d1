/* Virtual memory with 64-bit addresses on macOS, by the interface that its open-source kernel defines. */
#ifndef BOWLINE_MACH_MACH_VM_H
#define BOWLINE_MACH_MACH_VM_H

#include <mach/mach_types.h>
#include <mach/message.h>
#include <mach/vm_types.h>

#ifdef __cplusplus
extern "C" {
#endif

kern_return_t mach_vm_allocate(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size, int flags);
kern_return_t mach_vm_deallocate(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size);
kern_return_t mach_vm_protect(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size, boolean_t maximum,
                              vm_prot_t protection);
kern_return_t mach_vm_behavior_set(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size,
                                   vm_behavior_t behavior);
kern_return_t mach_vm_map(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size, mach_vm_offset_t mask,
                          int flags, mem_entry_name_port_t object, memory_object_offset_t offset, boolean_t copy,
                          vm_prot_t current, vm_prot_t maximum, vm_inherit_t inheritance);
kern_return_t mach_vm_remap(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size, mach_vm_offset_t mask,
                            int flags, vm_map_t source_task, mach_vm_address_t source, boolean_t copy,
                            vm_prot_t *current, vm_prot_t *maximum, vm_inherit_t inheritance);
kern_return_t mach_vm_read_overwrite(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size,
                                     mach_vm_address_t data, mach_vm_size_t *read);
kern_return_t mach_vm_write(vm_map_t task, mach_vm_address_t address, vm_offset_t data, mach_msg_type_number_t count);
kern_return_t mach_vm_region(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t *size,
                             vm_region_flavor_t flavor, vm_region_info_t info, mach_msg_type_number_t *count,
                             mach_port_t *object);

#ifdef __cplusplus
}
#endif

#endif
