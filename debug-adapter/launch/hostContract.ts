/** The layout of hypervisors/include/hyperstep/host.h, version 1: offsets and sizes in bytes. */

export const HOST_SYMBOL = 'hyperstep_host';
export const HOST_MAGIC = 0x7473_6f68_7065_7473n;
export const HOST_VERSION = 1;

export const HostOffset = {
  magic: 0x00,
  version: 0x08,
  threadCount: 0x0c,
  currentThread: 0x10,
  threads: 0x18,
  handlers: 0x20,
} as const;
export const HOST_SIZE = 0x28;

export const ThreadOffset = {
  state: 0x00,
  vcpuId: 0x04,
  rip: 0x08,
  rsp: 0x10,
  rbp: 0x18,
  rbx: 0x20,
  r12: 0x28,
  r13: 0x30,
  r14: 0x38,
  r15: 0x40,
  wakeupNs: 0x48,
  vmcs: 0x50,
  guestRegisters: 0x58,
  name: 0x60,
} as const;
export const THREAD_SIZE = 0x68;
export const MAX_THREADS = 64;

export const ThreadState = { UNUSED: 0, RUNNING: 1, RUNNABLE: 2, SLEEPING: 3, HALTED: 4, DEAD: 5 } as const;

export const HandlersOffset = {
  generation: 0x00,
  accepted: 0x08,
  slot: 0x10,
  table: 0x18,
  count: 0x20,
  currentSlot: 0x28,
  users: 0x30,
  slots: 0x70,
} as const;
export const HANDLERS_SIZE = 0x78;
export const HANDLER_SLOTS = 8;
export const HANDLER_SLOT_SIZE = 0x4_0000;

export const HypercallOffset = { nr: 0x00, name: 0x08, handler: 0x10, file: 0x18, line: 0x20 } as const;
export const HYPERCALL_SIZE = 0x28;
