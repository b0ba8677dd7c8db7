/**
 * What Hyperstep adds to the Debug Adapter Protocol: launch arguments, custom requests and custom events. The extension
 * and the adapter share these types. Numbers wider than 53 bits are `"0x…"` strings.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';

/** Virtual processors that a guest may have: KVM_MAX_VCPUS of hypervisors/include/hyperstep/kvm_host.h. */
export const MAX_VCPUS = 63;

export interface HyperstepLaunchArguments extends DebugProtocol.LaunchRequestArguments {
  /** `.S`, `.s`, `.asm`, `.c` or an ELF file. */
  program: string;
  /** `kvm` (default), `none` (bare metal), or the path of a multiboot host that gets the program as module 0. */
  host?: string;
  /** C file of own hypercall handlers. */
  handlers?: string;
  vcpus?: number;
  /** Guest memory, e.g. `64M`. */
  memory?: string;
  mode?: 'long' | 'protected';
  /** Extra multiboot modules. */
  modules?: string[];
  /** Words for the command line of the host or bare-metal program. */
  append?: string;
  /** Interactive sessions pace idle time to real time; `fast` jumps. */
  time?: 'real' | 'fast';
  stopOnEntry?: boolean;
  includeFolders?: string[];
  cwd?: string;
}

/** A value before and after: hexadecimal strings of 64 bits. */
export type RegisterValues = Record<'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi', string>;

/** One hypercall. `after` is null while the guest is blocked in it. */
export interface HypercallRecord {
  seq: number;
  position: number;
  vcpu: number;
  /** Calling convention: `kvm` (VMCALL), `kvm-vmmcall` (the other vendor's instruction, rewritten). */
  kind: string;
  nr: string;
  /** `KVM_HC_KICK_CPU`, the name of an own handler, or null for an unknown number. */
  name: string | null;
  before: RegisterValues;
  after: RegisterValues | null;
  cpl: number;
  /** Decoded result: `0x55aa`, `-KVM_ENOSYS`; null while unanswered. */
  result: string | null;
  /** Virtual time of the call, and how long it took (so far, when unanswered). */
  virtualNs: number;
  durationNs: number;
  /** RIP of the call and its source line. */
  rip: string;
  source: { file: string; line: number } | null;
  /** Function of the host that answers: the handler's name and place, when known. */
  handler: { name: string; file?: string; line?: number } | null;
  /** Where in the host the call is blocked now: `msleep (sched.c:120)`; null when it is not. */
  blockedIn: string | null;
}

/** Custom requests: name to arguments and response body. */
export interface HyperstepRequests {
  /** Rows [start, start+count) of the log, newest last. */
  'hyperstep/hypercalls': {
    arguments: { start: number; count: number };
    body: { total: number; unanswered: number[]; virtualNs: number; calls: HypercallRecord[] };
  };
  'hyperstep/registers': {
    arguments: { threadId?: number; frameId?: number };
    body: { world: string; groups: RegisterGroup[] };
  };
  'hyperstep/vmExits': {
    arguments: Record<string, never>;
    body: { total: number; reasons: VmExitRow[] };
  };
  /** Replaces the set of exit reasons to stop at. */
  'hyperstep/setVmExitBreakpoints': {
    arguments: {
      /** `reason` -1 stops at VM entries. `vmcs`: only at those with the VMCS at this physical address (`"0x…"`). */
      reasons: {
        reason: number;
        vmcs?: string;
        condition?: string;
        hitCondition?: string;
        logMessage?: string;
      }[];
    };
    body: Record<string, never>;
  };
  'hyperstep/vmcs': {
    arguments: { threadId?: number };
    /** `entry`: what VM entry would say of the fields as they are now. */
    body: { vmcs: string | null; groups: VmcsGroup[]; entry: VmEntryRow | null };
  };
  /** Whether each VMREAD and VMWRITE is told in the debug console. */
  'hyperstep/setVmcsTrace': {
    arguments: { enabled: boolean };
    body: Record<string, never>;
  };
  'hyperstep/setVmcsField': {
    arguments: { threadId?: number; encoding: number; value: string };
    body: { value: string };
  };
  /** Compiles and loads the handlers file again into the running machine. */
  'hyperstep/reloadHandlers': {
    arguments: Record<string, never>;
    body: { handlers: { nr: number; name: string }[] };
  };
  'hyperstep/setNumberFormat': {
    arguments: { format: 'hex' | 'decimal' };
    body: Record<string, never>;
  };
}

export interface RegisterRow {
  name: string;
  value: string;
  changed: boolean;
  /** Decoded meaning, e.g. the set bits of CR0. */
  detail?: string;
  /** For an edit through `setVariable`. */
  variablesReference?: number;
}
export interface RegisterGroup {
  name: string;
  registers: RegisterRow[];
}
export interface VmExitRow {
  reason: number;
  name: string;
  title: string;
  description: string;
  count: number;
  virtualNs: number;
  breakpoint: boolean;
}
export interface VmcsFieldRow {
  encoding: number;
  name: string;
  kernelName: string;
  value: string;
  width: number;
  readOnly: boolean;
  changed: boolean;
  /** The value at the stop before, where it was another. */
  before?: string;
  bits: { name: string; set: boolean; implemented: boolean }[];
}
export interface VmcsGroup {
  name: string;
  fields: VmcsFieldRow[];
}

/** Every rule of VM entry applied to a VMCS. */
export interface VmEntryRow {
  enters: boolean;
  /** How many rules there are. */
  rules: number;
  /** In the order of the checks: the first one is what VM entry reports. */
  violations: VmEntryViolation[];
}
export interface VmEntryViolation {
  /** `VMX controls`, `host state` or `guest state`. */
  stage: string;
  /** `guest.cr0.fixed` */
  id: string;
  /** Section of the SDM, volume 3C. */
  section: string;
  /** The rule in the manual's words. */
  wording: string;
  expected: string;
  found: string;
  /** `VM-instruction error 7` */
  outcome: string;
  /** Names of the fields that the rule looks at. */
  fields: string[];
}

/** Custom events. */
export interface HyperstepEvents {
  /** Sent at most ten times a second while the machine runs, and at every stop. */
  'hyperstep/activity': {
    running: boolean;
    position: number;
    virtualNs: number;
    hypercalls: number;
    unanswered: number;
    vmExits: number;
  };
  /** Errors and warnings of a build, for the Problems view; replaces those of the build before. */
  'hyperstep/diagnostics': {
    diagnostics: {
      severity: 'error' | 'warning';
      file: string;
      line: number;
      column: number;
      endColumn: number;
      message: string;
    }[];
  };
  /** A build that takes long began or ended. */
  'hyperstep/build': { phase: 'begin' | 'end'; title: string };
}
