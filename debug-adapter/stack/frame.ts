/** The frames that the debugger shows: what the stack makes and everything else reads. */
import type { TranslationContext, World } from '../../emulator/machine/machineTypes.js';
import type { NamedRegisters } from '../../toolchain/debuginfo/expression.js';
import type { SourceLocation } from '../../toolchain/debuginfo/debugInfo.js';
import type { MachineContext } from '../../toolchain/debuginfo/machineContext.js';
import type { MachineWriter } from '../../toolchain/debuginfo/storage.js';
import type { Image } from '../debuggee/image.js';

/** A frame of code in one world. */
export interface CodeFrame {
  readonly kind: 'code';
  readonly id: number;
  readonly threadId: number;
  readonly world: World;
  /** The guest's VMCS for a frame of the guest; undefined in the root world. */
  readonly vmcs: number | undefined;
  /** 0: the innermost of its world; its registers are the real ones and can be set. */
  readonly level: number;
  /** Linear address of the next instruction (a return address in a calling frame). */
  readonly pc: bigint;
  /** The address to ask debug information with: pc, or the return address minus one. */
  readonly lookup: bigint;
  /** Which of the calls inlined there (DebugInfo.variablesAt). */
  readonly inlineDepth: number;
  readonly name: string;
  /** With the path on this machine. */
  readonly place: SourceLocation | undefined;
  readonly image: Image | undefined;
  /** Canonical frame address; 0n where there is no way to tell. */
  readonly cfa: bigint;
  readonly bits: 32 | 64;
  /** Registers by DWARF number and memory, as this frame has them. */
  readonly machine: MachineContext;
  readonly writer: MachineWriter;
  /** Registers by name: rax, eax, ax, al, rip, rflags, cr0, cs, efer, ... */
  readonly registers: NamedRegisters;
  /** Page tables of this frame's world. */
  readonly translation: TranslationContext;
  /** Assembly glue that a user hardly wants to see: VS Code is told not to focus it. */
  readonly isGlue: boolean;
}

/** The border between two worlds: `VM exit: VMCALL`. */
export interface LabelFrame {
  readonly kind: 'label';
  readonly id: number;
  readonly threadId: number;
  readonly name: string;
}

export type Frame = CodeFrame | LabelFrame;
