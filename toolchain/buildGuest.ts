import { assemble } from './assembler/assemble.js';
import { compileGuest } from './compilers/compileGuest.js';
import { errorAt } from './compilers/compileTools.js';
import type { CompileResult } from './compilers/compileTools.js';
import { assembleWithNasm } from './compilers/nasm.js';
import type { Diagnostic } from './diagnostic.js';
import { EM, ET } from './elf/constants.js';
import { ElfFile } from './elf/elfFile.js';
import { FormatError } from './elf/byteReader.js';
import type { Platform } from './platform.js';

export interface BuildGuestOptions {
  /** The source or ELF file. */
  readonly program: string;
  readonly mode: 'long' | 'protected';
  readonly includeFolders: readonly string[];
  readonly platform: Platform;
  /** Told what takes time. */
  readonly onProgress?: (message: string) => void;
}

export interface BuiltGuest {
  readonly elf: Uint8Array;
  /** Absolute name of the program. */
  readonly path: string;
  readonly warnings: readonly Diagnostic[];
}

export type BuildGuestResult = BuiltGuest | { readonly diagnostics: readonly Diagnostic[] };

interface Build extends BuildGuestOptions {
  readonly file: string;
  readonly bits: 32 | 64;
  readonly bytes: Uint8Array;
}

/** How a program becomes an ELF, by the end of its name. */
const BUILDERS: readonly (readonly [
  extension: RegExp,
  build: (build: Build) => Promise<CompileResult> | CompileResult,
])[] = [
  [/\.(S|s|sx)$/, assembleGuest],
  [/\.c$/i, compileC],
  [/\.(asm|nasm)$/i, compileNasm],
];

/** Builds a guest program: assembly, C, or an ELF as it is. Bad input becomes diagnostics. */
export async function buildGuest(options: BuildGuestOptions): Promise<BuildGuestResult> {
  const { platform, program, mode } = options;
  const file = platform.resolvePath(program);
  const bytes = await platform.readFile(file);
  if (!bytes) return { diagnostics: [errorAt(file, `guest program '${file}' does not exist`)] };
  const builder = BUILDERS.find(([extension]) => extension.test(file));
  const build: Build = { ...options, file, bytes, bits: mode === 'protected' ? 32 : 64 };
  const { elf, diagnostics } = await (builder ? builder[1](build) : checkElf(build));
  if (!elf) return { diagnostics };
  return { elf, path: file, warnings: diagnostics };
}

function assembleGuest({ file, bytes, bits, includeFolders, platform }: Build): CompileResult {
  const readInclude = (
    path: string,
    fromFile: string,
  ): { fileName: string; bytes: Uint8Array } | undefined => {
    for (const folder of [platform.directoryOf(fromFile), ...includeFolders]) {
      const fileName = platform.resolvePath(folder, path);
      const found = platform.readFileSync(fileName);
      if (found) return { fileName, bytes: found };
    }
    return undefined;
  };
  return assemble({ fileName: file, source: new TextDecoder().decode(bytes), bits, readInclude });
}

function compileC({ file, bits, includeFolders, platform, onProgress }: Build): Promise<CompileResult> {
  onProgress?.(`Compiling ${file}`);
  return compileGuest({ file, bits, includeFolders, platform });
}

function compileNasm({ file, bits, includeFolders, platform, onProgress }: Build): Promise<CompileResult> {
  onProgress?.(`Assembling ${file}`);
  return assembleWithNasm({ file, bits, includeFolders, platform });
}

const MACHINES: ReadonlySet<number> = new Set(Object.values(EM));

/** An ELF is taken as it is when this machine can start it. */
function checkElf({ file, bytes }: Build): CompileResult {
  const fail = (message: string): CompileResult => ({
    elf: undefined,
    diagnostics: [errorAt(file, message)],
  });
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return fail(
      `not an ELF: first bytes ${start || '(none, the file is empty)'}; a guest is a .S, .c or .asm source or an ELF executable`,
    );
  }
  try {
    const elf = new ElfFile(bytes);
    if (!MACHINES.has(elf.machine))
      return fail(`an ELF for another machine (e_machine ${elf.machine}): a guest is x86 code`);
    if (elf.type === ET.REL) return fail('an object file: link it to an executable first');
    if (elf.type !== ET.EXEC && elf.type !== ET.DYN)
      return fail(`not an executable ELF (e_type ${elf.type})`);
    return { elf: bytes, diagnostics: [] };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return fail(error.message);
  }
}
