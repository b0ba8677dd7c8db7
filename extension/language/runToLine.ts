import * as vscode from 'vscode';
import type { Sessions } from '../session.js';

/**
 * Runs the guest to a line: the one that is being debugged, or a new session of its program. The breakpoint that it
 * takes goes away at the next stop.
 */
export async function runToLine(
  sessions: Sessions,
  uri: string,
  line: number,
  program: string,
): Promise<void> {
  const location = new vscode.Location(vscode.Uri.parse(uri), new vscode.Position(line - 1, 0));
  const breakpoint = new vscode.SourceBreakpoint(location);
  if (!hasBreakpoint(location)) {
    vscode.debug.addBreakpoints([breakpoint]);
    const remove = (): void => {
      vscode.debug.removeBreakpoints([breakpoint]);
      watch.dispose();
    };
    const watch = vscode.Disposable.from(
      sessions.onDidStop(remove),
      vscode.debug.onDidTerminateDebugSession(remove),
    );
  }
  const isDebugging = sessions.current !== undefined && !sessions.current.ended;
  if (isDebugging) await vscode.commands.executeCommand('workbench.action.debug.continue');
  else await vscode.commands.executeCommand('hyperstep.debugGuest', vscode.Uri.parse(program));
}

const hasBreakpoint = ({ uri, range }: vscode.Location): boolean =>
  vscode.debug.breakpoints.some(
    (breakpoint) =>
      breakpoint instanceof vscode.SourceBreakpoint &&
      breakpoint.enabled &&
      breakpoint.location.uri.toString() === uri.toString() &&
      breakpoint.location.range.start.line === range.start.line,
  );
