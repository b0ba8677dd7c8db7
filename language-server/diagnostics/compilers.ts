import type { Diagnostic } from 'vscode-languageserver';
import { compileObject } from '../../toolchain/compilers/compileTools.js';
import { findCompiler } from '../../toolchain/compilers/findCompiler.js';
import { assembleWithNasm } from '../../toolchain/compilers/nasm.js';
import type { Diagnostic as ToolDiagnostic } from '../../toolchain/diagnostic.js';
import type { Platform } from '../../toolchain/platform.js';
import { isNasm } from '../workspace/workspace.js';
import type { Workspace } from '../workspace/workspace.js';
import { fromAssembler } from './diagnose.js';

/** Registers hypercalls, or is for a guest: other C files are none of ours. */
const IS_HYPERSTEP_C = /#\s*include\s*[<"](?:hyperstep\/[\w.]+|kvm_para\.h|kvm_host\.h)[>"]/;

/**
 * What the tool of a saved file says of it: the C compiler of a handlers file, NASM of a NASM source; by file. undefined
 * when there is no such tool here or the file is not ours.
 */
export async function diagnoseSaved(
  workspace: Workspace,
  platform: Platform,
  file: string,
  text: string,
): Promise<Map<string, Diagnostic[]> | undefined> {
  const { includeFolders, bits } = workspace.settings;
  let found: readonly ToolDiagnostic[];
  if (isNasm(file)) {
    found = (await assembleWithNasm({ file, bits, includeFolders, platform })).diagnostics;
  } else if (/\.c$/i.test(file) && IS_HYPERSTEP_C.test(text)) {
    const compiler = await findCompiler(platform);
    if (!compiler) return undefined;
    found = await platform.withTemporaryFolder(async (folder) => {
      const object = platform.resolvePath(folder, 'saved.o');
      const result = await compileObject(platform, compiler, {
        file,
        object,
        bits: 64,
        codeModel: 'kernel',
        includeFolders,
      });
      return result.diagnostics;
    });
  } else {
    return undefined;
  }
  const byFile = new Map<string, Diagnostic[]>([[file, []]]);
  for (const diagnostic of found) {
    const list = byFile.get(diagnostic.file) ?? [];
    list.push(fromAssembler(workspace, diagnostic));
    byFile.set(diagnostic.file, list);
  }
  return byFile;
}
