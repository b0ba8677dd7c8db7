import type { Diagnostic } from '../diagnostic.js';
import type { ObjectFile } from '../elf/objectFile.js';
import { linkProgram } from '../linker/link.js';
import { loadObject } from '../linker/loadObject.js';
import type { Platform } from '../platform.js';
import { parseCompilerMessages } from './compilerMessages.js';
import type { Compiler } from './findCompiler.js';

/** An image, with warnings; or the errors. */
export interface CompileResult {
  readonly elf: Uint8Array | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Code that runs without a system: integer registers only, frame pointers and CFI (.debug_frame) for the debugger. */
const FREESTANDING_FLAGS: readonly string[] = [
  '-ffreestanding',
  '-fno-builtin',
  '-fno-stack-protector',
  '-fno-pic',
  '-fno-pie',
  '-mgeneral-regs-only',
  '-fno-omit-frame-pointer',
  '-fcf-protection=none',
  '-fno-asynchronous-unwind-tables',
  '-O0',
  '-g',
  '-Wall',
];

/** Hosts and guest kernels take interrupts on their own stack. */
const LONG_MODE_FLAGS: readonly string[] = ['-mno-red-zone'];

/** Where the code will stand: `small` below 2 GiB; `kernel` also in the upper 2 GiB, where hosts have their handlers. */
export type CodeModel = 'small' | 'kernel';

/** Runs a tool of the toolchain and reads its messages; file names become absolute. */
export async function runTool(
  platform: Platform,
  program: string,
  args: readonly string[],
  file: string,
): Promise<{ readonly failed: boolean; readonly diagnostics: Diagnostic[] }> {
  const folder = platform.directoryOf(file);
  const result = await platform.run(program, args, { cwd: folder });
  const failed = result?.exitCode !== 0;
  const output = result ? `${result.stderr}\n${result.stdout}` : `${program} could not be started`;
  const diagnostics = parseCompilerMessages(output, file, failed).map((diagnostic) => ({
    ...diagnostic,
    file: platform.resolvePath(folder, diagnostic.file),
  }));
  return { failed, diagnostics };
}

/** Compiles a C or assembly file to an object. */
export function compileObject(
  platform: Platform,
  compiler: Compiler,
  input: {
    readonly file: string;
    /** A file of ours to compile instead, without debug information. */
    readonly source?: string;
    readonly object: string;
    readonly bits: 32 | 64;
    readonly codeModel?: CodeModel;
    readonly includeFolders: readonly string[];
  },
): ReturnType<typeof runTool> {
  const args = [
    ...compiler.compileArguments(input.bits),
    ...FREESTANDING_FLAGS,
    ...(input.bits === 64 ? [...LONG_MODE_FLAGS, `-mcmodel=${input.codeModel ?? 'small'}`] : []),
    ...input.includeFolders.map((folder) => `-I${folder}`),
    ...(input.source ? ['-g0'] : []),
    '-c',
    input.source ?? input.file,
    '-o',
    input.object,
  ];
  return runTool(platform, compiler.program, args, input.file);
}

/** Links objects by a linker script, with our linker. `file` is what errors without a place are told about. */
export async function linkObjects(
  platform: Platform,
  input: {
    readonly file: string;
    readonly script: string;
    /** Names of files. */
    readonly objects: readonly string[];
    readonly absoluteSymbols?: ReadonlyMap<string, bigint>;
  },
): Promise<CompileResult> {
  const { file, script, absoluteSymbols } = input;
  const objects: ObjectFile[] = [];
  for (const name of input.objects) objects.push(loadObject(name, (await platform.readFile(name))!));
  const linked = linkProgram({ objects, script, ...(absoluteSymbols ? { absoluteSymbols } : {}) });
  // The objects lie in a folder that is gone soon: without a line the message is about the source.
  const diagnostics = linked.diagnostics.map((diagnostic) =>
    input.objects.includes(diagnostic.file)
      ? { ...diagnostic, file, line: 1, column: 1, endColumn: 2 }
      : diagnostic,
  );
  return { elf: linked.elf, diagnostics };
}

export function errorAt(file: string, message: string): Diagnostic {
  return { severity: 'error', file, line: 1, column: 1, endColumn: 2, message };
}
