/** The real processor as an oracle: compiles probe.c with gcc and sends it batches of cases. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the probe has code and data: the interpreter gets the same addresses. */
export const CODE_ADDRESS = 0x60_0000;
export const WINDOW_ADDRESS = 0x80_0fc0;
export const WINDOW_SIZE = 128;
const CODE_SIZE = 48;

/** Registers in encoding order, RFLAGS, and the window of memory: before or after. */
export interface MachineImage {
  readonly registers: BigUint64Array;
  readonly flags: bigint;
  readonly window: Uint8Array;
}
export interface NativeResult extends MachineImage {
  /** 0, or the signal that the code raised: SIGFPE is #DE, SIGSEGV #GP or #PF, SIGILL #UD. */
  readonly signal: number;
}
export interface NativeCase extends MachineImage {
  readonly code: Uint8Array;
}

/** Layout of `struct test_case` in probe.c. */
const offset = {
  registers: 0,
  flags: 128,
  window: 136,
  signal: 264,
  codeLength: 268,
  code: 272,
  size: 320,
} as const;

/** Why the probe cannot be used here, or undefined. */
export function probeUnavailable(): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'the native probe needs Linux on x86-64';
  return spawnSync('gcc', ['--version']).status === 0 ? undefined : 'the native probe needs gcc';
}

export class NativeProbe {
  private readonly folder = mkdtempSync(join(tmpdir(), 'hyperstep-probe-'));
  private readonly program = join(this.folder, 'probe');

  constructor() {
    const source = fileURLToPath(new URL('probe.c', import.meta.url));
    // PIE leaves the fixed low addresses of the probe free.
    execFileSync('gcc', ['-O1', '-pie', '-fPIE', '-o', this.program, source], { stdio: 'inherit' });
  }

  /** Runs each case on the processor. */
  run(cases: readonly NativeCase[]): NativeResult[] {
    const input = Buffer.alloc(cases.length * offset.size);
    cases.forEach((one, index) => {
      const at = index * offset.size;
      one.registers.forEach((value, number) =>
        input.writeBigUInt64LE(value, at + offset.registers + 8 * number),
      );
      input.writeBigUInt64LE(one.flags, at + offset.flags);
      input.set(one.window, at + offset.window);
      if (one.code.length > CODE_SIZE) throw new RangeError(`${one.code.length} bytes of code`);
      input.writeUInt32LE(one.code.length, at + offset.codeLength);
      input.set(one.code, at + offset.code);
    });
    const output = execFileSync(this.program, { input, maxBuffer: input.length + 1 });
    if (output.length !== input.length) throw new Error('the probe died');
    return cases.map((_, index) => {
      const at = index * offset.size;
      const registers = BigUint64Array.from({ length: 16 }, (_value, number) =>
        output.readBigUInt64LE(at + offset.registers + 8 * number),
      );
      return {
        registers,
        flags: output.readBigUInt64LE(at + offset.flags),
        window: output.subarray(at + offset.window, at + offset.window + WINDOW_SIZE),
        signal: output.readUInt32LE(at + offset.signal),
      };
    });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true });
  }
}
