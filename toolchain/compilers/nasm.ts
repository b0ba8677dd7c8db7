import type { Platform } from '../platform.js';
import { errorAt, linkObjects, runTool } from './compileTools.js';
import { defaultScript } from '../linker/defaultScript.js';
import type { CompileResult } from './compileTools.js';

export interface NasmOptions {
  /** Absolute name of the .asm file. */
  readonly file: string;
  readonly bits: 32 | 64;
  readonly includeFolders: readonly string[];
  readonly platform: Platform;
}

const TEXT_ADDRESS = 0x100000n;

/** Assembles a NASM source with the nasm of the machine, and links it. */
export async function assembleWithNasm({
  file,
  bits,
  includeFolders,
  platform,
}: NasmOptions): Promise<CompileResult> {
  const version = await platform.run('nasm', ['-v']);
  if (version?.exitCode !== 0) {
    const message =
      'nasm is not installed, which .asm guests need (Debian: sudo apt install nasm). GAS guests (.S) need no tool.';
    return { elf: undefined, diagnostics: [errorAt(file, message)] };
  }
  return platform.withTemporaryFolder(async (folder) => {
    const object = platform.resolvePath(folder, 'guest.o');
    const includes = includeFolders.map((include) => `-I${include}/`);
    const args = ['-f', `elf${bits}`, '-g', '-F', 'dwarf', ...includes, '-o', object, file];
    const assembled = await runTool(platform, 'nasm', args, file);
    if (assembled.failed) return { elf: undefined, diagnostics: assembled.diagnostics };
    const script = defaultScript(TEXT_ADDRESS, '_start');
    const linked = await linkObjects(platform, { file, script, objects: [object] });
    return { elf: linked.elf, diagnostics: [...assembled.diagnostics, ...linked.diagnostics] };
  });
}
