/** Registers and bits of the local APIC (SDM 3A chapter 11). */

/** Offsets in the register page, SDM 3A table 11-1. The x2APIC MSR is 800H + offset / 16 (table 11-6). */
export const Register = {
  ID: 0x20,
  VERSION: 0x30,
  TPR: 0x80,
  APR: 0x90,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  INITIAL_COUNT: 0x380,
  CURRENT_COUNT: 0x390,
  DIVIDE: 0x3e0,
  /** x2APIC only. */
  SELF_IPI: 0x3f0,
} as const;

/** Version 0x14, six LVT entries (SDM 3A 11.4.8). */
export const VERSION = 0x0005_0014;
export const SVR_ENABLE = 1 << 8;
export const LVT_MASKED = 1 << 16;

/** Bits 18:17 of the timer's LVT entry. */
export const TimerMode = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;
export const timerMode = (entry: number): number => (entry >> 17) & 3;

/** Writable bits of each local vector table entry (SDM 3A figure 11-8). */
export const LVT_WRITABLE: Readonly<Record<number, number>> = {
  [Register.LVT_TIMER]: 0x7_00ff,
  [Register.LVT_THERMAL]: 0x1_07ff,
  [Register.LVT_PERFORMANCE]: 0x1_07ff,
  [Register.LVT_LINT0]: 0x1_a7ff,
  [Register.LVT_LINT1]: 0x1_a7ff,
  [Register.LVT_ERROR]: 0x1_00ff,
};

/** Error status, SDM 3A figure 11-9. */
export const ApicError = {
  SEND_ILLEGAL_VECTOR: 1 << 5,
  RECEIVE_ILLEGAL_VECTOR: 1 << 6,
  ILLEGAL_REGISTER: 1 << 7,
} as const;

/** Bits of IA32_APIC_BASE, SDM 3A figure 11-26. */
export const ApicBase = { BOOTSTRAP: 1n << 8n, X2APIC: 1n << 10n, ENABLE: 1n << 11n } as const;
export const APIC_DEFAULT_BASE = 0xfee0_0000n;

/** SDM 3A 11.6.1 and figure 11-8. */
export const DeliveryMode = {
  FIXED: 0,
  LOWEST_PRIORITY: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  STARTUP: 6,
  EXTINT: 7,
} as const;
export const Shorthand = { NONE: 0, SELF: 1, ALL: 2, ALL_BUT_SELF: 3 } as const;
