/** The VM Exits view: every exit reason with its count, and a checkbox that is a breakpoint on it. */
import * as vscode from 'vscode';
import type { VmExitRow } from '../../debug-adapter/protocol.js';
import { attempt, log, messageOf } from '../report.js';
import type { Session, Sessions } from '../session.js';
import { Throttle } from '../throttle.js';
import { toTreeItem } from './treeItem.js';
import { CONDITION_KINDS, enabledBreakpoints, sortedExits, vmExitRow, withBreakpoint } from './vmExitRows.js';
import type { VmExitBreakpoint } from './vmExitRows.js';
import type { Row } from './row.js';

export interface VmExitNode {
  reason: number;
  row: Row;
}

const STATE_KEY = 'vmExitBreakpoints';
const REFRESH_MS = 250;

export class VmExitsView implements vscode.Disposable, vscode.TreeDataProvider<VmExitNode> {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  private readonly tree: vscode.TreeView<VmExitNode>;
  private readonly subscriptions: vscode.Disposable[];
  private readonly refresh = new Throttle(REFRESH_MS, () => this.load());
  private breakpoints: VmExitBreakpoint[];

  /** `exits` is what is shown before the first session: every reason, none counted. */
  constructor(
    private readonly sessions: Sessions,
    private readonly state: vscode.Memento,
    private exits: VmExitRow[],
  ) {
    this.breakpoints = state.get<VmExitBreakpoint[]>(STATE_KEY, []);
    this.tree = vscode.window.createTreeView('hyperstep.vmExits', {
      treeDataProvider: this,
      manageCheckboxStateManually: true,
    });
    this.subscriptions = [
      this.tree,
      this.refresh,
      this.changed,
      sessions.onDidInitialize((session) => void this.send(session)),
      sessions.onDidChange(() => this.refresh.requestNow()),
      sessions.onDidStop(() => this.refresh.requestNow()),
      sessions.onActivity(() => {
        if (this.tree.visible) this.refresh.request();
      }),
      this.tree.onDidChangeVisibility(() => this.refresh.request()),
      this.tree.onDidChangeCheckboxState(({ items }) => this.check(items)),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  getTreeItem(node: VmExitNode): vscode.TreeItem {
    const breakpoint = this.breakpointOn(node.reason);
    const item = toTreeItem(node.row, { id: `exit-${node.reason}`, contextValue: 'vmExit' });
    item.checkboxState = {
      state: breakpoint?.enabled
        ? vscode.TreeItemCheckboxState.Checked
        : vscode.TreeItemCheckboxState.Unchecked,
      tooltip: breakpoint?.enabled ? 'Do not stop at this VM exit' : 'Stop at this VM exit',
    };
    return item;
  }

  getChildren(node?: VmExitNode): VmExitNode[] {
    if (node) return [];
    return sortedExits(this.exits).map((exit) => ({
      reason: exit.reason,
      row: vmExitRow(exit, this.breakpointOn(exit.reason)),
    }));
  }

  /** Asks for a condition, hit count or log message of the breakpoint on an exit reason. */
  async editCondition({ reason, row }: VmExitNode): Promise<void> {
    const breakpoint = this.breakpointOn(reason);
    const kind = await vscode.window.showQuickPick(
      CONDITION_KINDS.map((entry) => ({ ...entry, description: breakpoint?.[entry.key] })),
      { title: `VM exit ${row.label}`, placeHolder: 'What shall the breakpoint depend on?' },
    );
    if (!kind) return;
    const text = await vscode.window.showInputBox({
      title: `VM exit ${row.label}: ${kind.label}`,
      prompt: kind.prompt,
      value: breakpoint?.[kind.key],
    });
    if (text === undefined) return;
    await this.change(reason, { [kind.key]: text.trim() || undefined, enabled: true });
  }

  /** Removes all breakpoints on VM exits and their conditions. */
  async clear(): Promise<void> {
    this.breakpoints = [];
    await this.store();
  }

  private breakpointOn(reason: number): VmExitBreakpoint | undefined {
    return this.breakpoints.find((breakpoint) => breakpoint.reason === reason);
  }

  private check(items: readonly [VmExitNode, vscode.TreeItemCheckboxState][]): void {
    for (const [{ reason }, state] of items) {
      const enabled = state === vscode.TreeItemCheckboxState.Checked;
      this.breakpoints = withBreakpoint(this.breakpoints, reason, { enabled });
    }
    void attempt('The VM exit breakpoints cannot be changed', () => this.store());
  }

  private async change(reason: number, change: Partial<VmExitBreakpoint>): Promise<void> {
    this.breakpoints = withBreakpoint(this.breakpoints, reason, change);
    await this.store();
  }

  private async store(): Promise<void> {
    this.changed.fire(undefined);
    await this.state.update(STATE_KEY, this.breakpoints);
    const session = this.sessions.current;
    if (session && !session.ended) await this.request(session);
  }

  /** At a session's start; must reach the adapter before `configurationDone`, so nothing is awaited before it. */
  private async send(session: Session): Promise<void> {
    await attempt('The VM exit breakpoints cannot be set', () => this.request(session));
  }

  private async request(session: Session): Promise<void> {
    await session.request('hyperstep/setVmExitBreakpoints', {
      reasons: enabledBreakpoints(this.breakpoints),
    });
  }

  private async load(): Promise<void> {
    const session = this.sessions.current;
    if (!session || session.ended) return;
    try {
      const { total, reasons } = await session.request('hyperstep/vmExits', {});
      this.exits = reasons;
      this.tree.description = total > 0 ? total.toLocaleString('en-US') : undefined;
      this.changed.fire(undefined);
    } catch (error) {
      log.debug(`VM Exits: ${messageOf(error)}`);
    }
  }
}
