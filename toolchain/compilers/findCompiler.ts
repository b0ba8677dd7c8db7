import type { Platform } from '../platform.js';

/** A C compiler that makes x86-64 ELF objects. */
export interface Compiler {
  readonly program: string;
  /** What comes before all other arguments, for code of that width. */
  readonly compileArguments: (bits: 32 | 64) => readonly string[];
  /** First line of `--version`. */
  readonly version: string;
}

export const COMPILER_VARIABLE = 'HYPERSTEP_CC';

const CANDIDATES: readonly (readonly string[])[] = [
  ['gcc'],
  ['clang'],
  ['zig', 'cc'],
  ['x86_64-linux-gnu-gcc'],
  ['x86_64-elf-gcc'],
];

/** Freestanding code needs no system of its own. */
const CLANG_TARGETS = { 32: 'i386-unknown-none-elf', 64: 'x86_64-unknown-none-elf' } as const;
const ZIG_TARGETS = { 32: 'x86-freestanding-none', 64: 'x86_64-freestanding-none' } as const;

/** The first usable compiler: `$HYPERSTEP_CC`, or gcc, clang, zig, cross compilers; undefined when there is none. */
export async function findCompiler(platform: Platform): Promise<Compiler | undefined> {
  const wanted = platform.environment(COMPILER_VARIABLE)?.trim();
  for (const command of wanted ? [wanted.split(/\s+/)] : CANDIDATES) {
    const compiler = await tryCommand(platform, command);
    if (compiler) return compiler;
  }
  return undefined;
}

async function tryCommand(
  platform: Platform,
  [program, ...rest]: readonly string[],
): Promise<Compiler | undefined> {
  const result = await platform.run(program, [...rest, '--version']);
  if (result?.exitCode !== 0) return undefined;
  const version = result.stdout.split('\n')[0].trim();
  if (rest.at(-1) === 'cc') {
    return {
      program,
      compileArguments: (bits) => [...rest, '-target', ZIG_TARGETS[bits], '-fno-sanitize=undefined'],
      version: `zig cc: ${version}`,
    };
  }
  if (/clang/i.test(version)) {
    return {
      program,
      compileArguments: (bits) => [...rest, `--target=${CLANG_TARGETS[bits]}`],
      version,
    };
  }
  return tryGcc(platform, program, rest, version);
}

async function tryGcc(
  platform: Platform,
  program: string,
  rest: readonly string[],
  version: string,
): Promise<Compiler | undefined> {
  const machine = (await platform.run(program, [...rest, '-dumpmachine']))?.stdout.trim() ?? '';
  if (!/^(x86_64|amd64|i[3-6]86)-/.test(machine) || /mingw|cygwin|darwin/.test(machine)) return undefined;
  return { program, compileArguments: (bits) => [...rest, `-m${bits}`], version };
}

const INSTALL: Readonly<Record<Platform['operatingSystem'], string>> = {
  linux: 'Install one, on Debian or Ubuntu with: sudo apt install gcc',
  darwin: 'Install one, for example with: brew install zig',
  win32: 'Install one, for example with: winget install zig.zig',
  other: 'Install gcc, clang or zig',
};

/** What to tell a user without a compiler: what was looked for, and what helps. */
export function noCompilerMessage(platform: Platform): string {
  const wanted = platform.environment(COMPILER_VARIABLE)?.trim();
  const looked = wanted
    ? `${COMPILER_VARIABLE} is '${wanted}', which does not run or makes no x86-64 ELF`
    : `looked for ${CANDIDATES.map((command) => command.join(' ')).join(', ')}`;
  return (
    `no C compiler for x86-64 ELF found: ${looked}. ${INSTALL[platform.operatingSystem]}; ` +
    `or set ${COMPILER_VARIABLE}. Guests in assembly (.S) need no compiler.`
  );
}
