import * as vscode from 'vscode';
import { files } from './configurationProvider.js';

/** Copies the examples to a folder of the user's choice, where they can be changed, and opens them. */
export async function openExamples(extensionUri: vscode.Uri): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    title: 'Where shall the Hyperstep examples go?',
    openLabel: 'Copy Examples Here',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  if (!chosen) return;
  const target = await freeFolder(chosen[0], 'hyperstep-examples');
  await vscode.workspace.fs.copy(vscode.Uri.joinPath(extensionUri, 'examples'), target);
  await vscode.commands.executeCommand('vscode.openFolder', target, { forceNewWindow: false });
}

/** Never writes into what the user already has: appends a number to the name until it is free. */
async function freeFolder(parent: vscode.Uri, name: string): Promise<vscode.Uri> {
  for (let number = 1; ; number++) {
    const folder = vscode.Uri.joinPath(parent, number === 1 ? name : `${name}-${number}`);
    if (!(await files.exists(folder.fsPath))) return folder;
  }
}
