import * as vscode from 'vscode';

/** What failed, as a sentence for the user; never a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs what the user asked for; a failure becomes one message that begins with what was tried. */
export async function attempt(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    void vscode.window.showErrorMessage(`${what}: ${messageOf(error)}`);
  }
}

/** For what nobody asked for, such as refreshing a view: failures go to the log channel. */
export const log = vscode.window.createOutputChannel('Hyperstep', { log: true });
