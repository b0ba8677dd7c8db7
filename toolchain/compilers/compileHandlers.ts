import { SHN, STB } from '../elf/constants.js';
import { ElfFile } from '../elf/elfFile.js';
import type { ElfSymbol } from '../elf/symbols.js';
import type { Platform } from '../platform.js';
import { compileObject, errorAt, linkObjects } from './compileTools.js';
import { defaultScript } from '../linker/defaultScript.js';
import type { CompileResult } from './compileTools.js';
import { findCompiler, noCompilerMessage } from './findCompiler.js';

export interface CompileHandlersOptions {
  /** Absolute name of the user's C file of hypercall handlers. */
  readonly file: string;
  /** The host whose functions the handlers call. */
  readonly hostElfPath: string;
  /** Where the image will stand: a slot of the host's mailbox (hyperstep/host.h). */
  readonly linkAddress: bigint;
  readonly includeFolders: readonly string[];
  readonly platform: Platform;
}

/**
 * Compiles a file of hypercall handlers and links it at its slot against the host's symbols. The image keeps the
 * section `.hypercalls`, the table of registrations.
 */
export async function compileHandlers(options: CompileHandlersOptions): Promise<CompileResult> {
  const { file, hostElfPath, linkAddress, includeFolders, platform } = options;
  if (!(await platform.exists(file))) {
    return { elf: undefined, diagnostics: [errorAt(file, `handlers file '${file}' does not exist`)] };
  }
  const compiler = await findCompiler(platform);
  if (!compiler) return { elf: undefined, diagnostics: [errorAt(file, noCompilerMessage(platform))] };
  return platform.withTemporaryFolder(async (folder) => {
    const object = platform.resolvePath(folder, 'handlers.o');
    const compiled = await compileObject(platform, compiler, {
      file,
      object,
      bits: 64,
      codeModel: 'kernel',
      includeFolders,
    });
    if (compiled.failed) return { elf: undefined, diagnostics: compiled.diagnostics };
    const linked = await linkObjects(platform, {
      file,
      script: defaultScript(linkAddress, undefined),
      objects: [object],
      absoluteSymbols: addressesIn((await platform.readFile(hostElfPath))!),
    });
    return { elf: linked.elf, diagnostics: [...compiled.diagnostics, ...linked.diagnostics] };
  });
}

/** The global symbols of a program, by name. */
function addressesIn(program: Uint8Array): Map<string, bigint> {
  const isGlobal = ({ binding, sectionIndex }: ElfSymbol): boolean =>
    binding !== STB.LOCAL && sectionIndex !== SHN.UNDEF;
  return new Map(new ElfFile(program).symbols.filter(isGlobal).map(({ name, value }) => [name, value]));
}
