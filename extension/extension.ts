/** Activation: wires sessions, views and commands together. */
import * as vscode from 'vscode';
import { showBuildProgress, showDiagnostics } from './build.js';
import { ConfigurationProvider, debugGuest, dynamicConfigurations } from './configurationProvider.js';
import { debugAdapterFactory } from './debugAdapterFactory.js';
import { openExamples } from './examples.js';
import { offerReload, reloadCommand } from './handlers.js';
import { NumberFormatSetting } from './numberFormat.js';
import { startLanguageSupport } from './language/languageSupport.js';
import { nodeClient } from './language/nodeClient.js';
import { attempt, log } from './report.js';
import { revealViewsOnce } from './revealViews.js';
import { DEBUG_TYPE, Sessions } from './session.js';
import { HypercallsView } from './views/hypercallsView.js';
import { takeRegisters } from './views/registersView.js';
import type { Place } from './views/row.js';
import { SnapshotView } from './views/snapshotView.js';
import type { SnapshotNode } from './views/snapshotView.js';
import { changedRows, showPlace } from './views/treeItem.js';
import type { RowNode } from './views/treeItem.js';
import { takeVmcs } from './views/vmcsView.js';
import { uncountedExits } from './views/vmExitRows.js';
import { toggleVmcsTrace } from './vmcsTrace.js';
import { VmExitsView } from './views/vmExitsView.js';
import type { VmExitNode } from './views/vmExitsView.js';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions();
  const numbers = new NumberFormatSetting(sessions, context.workspaceState);
  const hypercalls = new HypercallsView(sessions, () => numbers.format);
  const registers = new SnapshotView('hyperstep.registers', sessions, takeRegisters);
  const vmcs = new SnapshotView('hyperstep.vmcs', sessions, (session) => takeVmcs(session, numbers.format));
  const vmExits = new VmExitsView(sessions, context.workspaceState, uncountedExits());

  const edit = async (node: SnapshotNode): Promise<void> => {
    if (!node.edit) return;
    const value = await vscode.window.showInputBox({
      title: `Set ${node.row.label}`,
      prompt: 'A number, decimal or 0x…, or an expression',
      value: node.row.copyText,
    });
    if (value === undefined) return;
    await node.edit(value);
    registers.refresh();
    vmcs.refresh();
  };

  const commands: Record<string, (...args: never[]) => Promise<void>> = {
    'hyperstep.debugGuest': (uri: vscode.Uri | undefined) =>
      attempt('The guest cannot be started', () => debugGuest(uri)),
    'hyperstep.reloadHandlers': reloadCommand(sessions),
    'hyperstep.toggleNumberFormat': () =>
      attempt('The number format cannot be changed', () => numbers.toggle()),
    'hyperstep.toggleVmcsTrace': () =>
      attempt('VMREAD and VMWRITE cannot be traced', () => toggleVmcsTrace(sessions)),
    'hyperstep.openExamples': () =>
      attempt('The examples cannot be opened', () => openExamples(context.extensionUri)),
    'hyperstep.setVmExitCondition': (node: VmExitNode) =>
      attempt('The condition cannot be set', () => vmExits.editCondition(node)),
    'hyperstep.clearVmExitBreakpoints': () =>
      attempt('The breakpoints cannot be removed', () => vmExits.clear()),
    'hyperstep.setValue': (node: SnapshotNode) =>
      attempt(`${node.row.label} cannot be set`, () => edit(node)),
    'hyperstep.copyValue': async (node: RowNode) =>
      vscode.env.clipboard.writeText(node.row.copyText ?? node.row.label),
    'hyperstep.goToPlace': (place: Place) => attempt('The source cannot be shown', () => showPlace(place)),
    'hyperstep.goToCaller': ({ row }: RowNode) =>
      attempt('The caller cannot be shown', async () => {
        if (row.place) await showPlace(row.place);
      }),
  };

  context.subscriptions.push(
    log,
    sessions,
    numbers,
    hypercalls,
    registers,
    vmcs,
    vmExits,
    numbers.onDidChange(() => {
      hypercalls.reformat();
      registers.refresh();
      vmcs.refresh();
    }),
    showDiagnostics(sessions),
    showBuildProgress(sessions),
    offerReload(sessions),
    revealViewsOnce(sessions, context.workspaceState),
    vscode.window.registerFileDecorationProvider(changedRows),
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, debugAdapterFactory(context.extensionUri)),
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, new ConfigurationProvider()),
    vscode.debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      dynamicConfigurations,
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    ...Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(name, run)),
  );
  void vscode.commands.executeCommand('setContext', 'hyperstep.enabled', true);
  void attempt('The language server cannot be started', async () => {
    const { extensionUri } = context;
    const support = await startLanguageSupport(extensionUri, sessions, nodeClient(extensionUri));
    context.subscriptions.push(support);
  });
}
