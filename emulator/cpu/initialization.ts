/** What INIT and STARTUP messages make of a processor (SDM 3A 9.4.4, 10.1 and table 10-1). */
import { SIGNATURE } from './cold/cpuid.js';
import { writeRflags } from './flags.js';
import { Activity, Cr0, DR6_RESET, DR7_RESET, Rflags, SegmentAccess } from './registerBits.js';
import type { Processor } from './seams.js';

const DATA = 0x3 | SegmentAccess.S | SegmentAccess.P;
const CODE = 0xb | SegmentAccess.S | SegmentAccess.P;
const LDT = 0x2 | SegmentAccess.P;
const BUSY_TSS = 0xb | SegmentAccess.P;
const REAL_MODE_LIMIT = 0xffff;

/** INIT: the processor waits for a STARTUP message. MSRs other than IA32_EFER, and the caches, stay as they are. */
export function initialize(processor: Processor): void {
  const { state } = processor;
  for (let i = 0; i < 16; i++) state.setGpr(i, 0n);
  state.rdx = BigInt(SIGNATURE);
  state.rip = 0xfff0n;
  writeRflags(state, Rflags.FIXED);
  state.cpl = 0;
  // CD and NW are not changed by INIT.
  state.cr0 = (state.cr0 & (Cr0.CD | Cr0.NW)) | Cr0.ET;
  state.cr2 = state.cr3 = state.cr4 = state.efer = 0n;
  state.dr0 = state.dr1 = state.dr2 = state.dr3 = 0n;
  state.dr6 = DR6_RESET;
  state.dr7 = DR7_RESET;
  state.gdtrBase = state.idtrBase = 0n;
  state.gdtrLimit = state.idtrLimit = REAL_MODE_LIMIT;
  const segments = {
    es: DATA,
    cs: CODE,
    ss: DATA,
    ds: DATA,
    fs: DATA,
    gs: DATA,
    ldtr: LDT,
    tr: BUSY_TSS,
  } as const;
  for (const [name, access] of Object.entries(segments)) {
    Object.assign(state.segments[name as keyof typeof segments], {
      selector: 0,
      base: 0n,
      limit: REAL_MODE_LIMIT,
      access,
    });
  }
  state.csSelector = 0xf000;
  state.csBase = 0xffff_0000n;
  state.interruptibility = 0;
  state.activity = Activity.WAIT_FOR_SIPI;
  processor.apic.reset();
  processor.flushTlb();
  processor.contextChanged();
}

/** STARTUP: real-address mode at vector * 4096 (SDM 3A 9.4.4.1). Only a processor that waits for it takes it. */
export function startUp(processor: Processor, vector: number): void {
  const { state } = processor;
  state.activity = Activity.ACTIVE;
  state.csSelector = vector << 8;
  state.csBase = BigInt(vector << 12);
  state.rip = 0n;
  processor.contextChanged();
}
