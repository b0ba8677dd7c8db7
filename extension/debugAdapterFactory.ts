import { existsSync } from 'node:fs';
import * as vscode from 'vscode';

/** Starts the bundled adapter as a process of its own, on the JavaScript runtime that VS Code itself runs on. */
export function debugAdapterFactory(extensionUri: vscode.Uri): vscode.DebugAdapterDescriptorFactory {
  const adapter = vscode.Uri.joinPath(extensionUri, 'dist', 'debugAdapter.cjs').fsPath;
  return {
    createDebugAdapterDescriptor: () => {
      // A process that ends at once looks to VS Code like a session that is over: it says nothing.
      if (!existsSync(adapter)) throw new Error(`Hyperstep is not complete: ${adapter} is missing.`);
      return new vscode.DebugAdapterExecutable(process.execPath, [adapter], {
        env: { ELECTRON_RUN_AS_NODE: '1' },
      });
    },
  };
}
