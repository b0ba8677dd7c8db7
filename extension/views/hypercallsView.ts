/** The Hypercalls view: one row a call, newest last, in pages, with blocked calls counting while the machine runs. */
import * as vscode from 'vscode';
import type { HypercallRecord } from '../../debug-adapter/protocol.js';
import type { NumberFormat } from '../format.js';
import { log, messageOf } from '../report.js';
import type { Session, Sessions } from '../session.js';
import { Throttle } from '../throttle.js';
import {
  divide,
  hypercallDetails,
  hypercallRow,
  hypercallState,
  layOut,
  PAGE,
  rangeLabel,
} from './hypercallRows.js';
import type { CallRange, HypercallState } from './hypercallRows.js';
import type { Row } from './row.js';
import { toTreeItem } from './treeItem.js';

type Node =
  | { kind: 'range'; range: CallRange; parent: Node | undefined; row: Row }
  | { kind: 'call'; call: HypercallRecord; parent: Node | undefined; row: Row }
  | { kind: 'detail'; id: string; parent: Node; row: Row };

const ICONS: Record<HypercallState, vscode.ThemeIcon> = {
  answered: new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed')),
  error: new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground')),
  blocked: new vscode.ThemeIcon('watch', new vscode.ThemeColor('debugIcon.pauseForeground')),
};

const REFRESH_MS = 250;

export class HypercallsView implements vscode.Disposable, vscode.TreeDataProvider<Node> {
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  private readonly tree: vscode.TreeView<Node>;
  private readonly subscriptions: vscode.Disposable[];
  private readonly refresh = new Throttle(REFRESH_MS, () => this.load());
  private session: Session | undefined;
  private total = 0;
  private nowNs = 0;
  /** The rows of the newest calls, and of all that are blocked. */
  private newest: Node[] = [];
  /** How many calls there were when the newest was scrolled into view. */
  private scrolledTo = 0;

  constructor(
    sessions: Sessions,
    private readonly numberFormat: () => NumberFormat,
  ) {
    this.tree = vscode.window.createTreeView('hyperstep.hypercalls', {
      treeDataProvider: this,
      showCollapseAll: true,
    });
    this.subscriptions = [
      this.tree,
      this.refresh,
      this.changed,
      sessions.onDidChange((session) => this.show(session)),
      sessions.onDidStop(() => this.refresh.requestNow()),
      sessions.onActivity(() => this.refreshIfVisible()),
      this.tree.onDidChangeVisibility(() => this.refreshIfVisible()),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  /** Formats the rows that are there again. */
  reformat(): void {
    this.changed.fire(undefined);
  }

  getParent(node: Node): Node | undefined {
    return node.parent;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'range':
        return toTreeItem(node.row, {
          id: `range-${node.range.start}-${node.parent ? node.range.end : 'all'}`,
          collapsible: vscode.TreeItemCollapsibleState.Collapsed,
          icon: new vscode.ThemeIcon('history'),
        });
      case 'call':
        return toTreeItem(node.row, {
          // A blocked call can stand at the end and in its page.
          id: `call-${node.call.seq}${node.parent ? '-in-page' : ''}`,
          contextValue: node.row.place ? 'hypercall.source' : 'hypercall',
          collapsible: vscode.TreeItemCollapsibleState.Collapsed,
          icon: ICONS[hypercallState(node.call)],
        });
      case 'detail':
        return toTreeItem(node.row, { id: node.id, contextValue: 'value' });
    }
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) return this.roots();
    if (node.kind === 'call') return this.details(node);
    if (node.kind === 'detail') return [];
    const { range } = node;
    if (range.end - range.start > PAGE) return divide(range).map((part) => rangeNode(part, node));
    try {
      return (await this.fetch(range)).map((call) => this.callNode(call, node));
    } catch (error) {
      return [
        { kind: 'detail', id: `failed-${range.start}`, parent: node, row: { label: messageOf(error) } },
      ];
    }
  }

  private roots(): Node[] {
    const { earlier } = layOut(this.total);
    return earlier ? [rangeNode(earlier, undefined), ...this.newest] : this.newest;
  }

  private details(node: Node & { kind: 'call' }): Node[] {
    const { call } = node;
    return hypercallDetails(call, this.nowNs, this.numberFormat()).map((row) => ({
      kind: 'detail',
      id: `call-${call.seq}${node.parent ? '-in-page' : ''}-${row.label}`,
      parent: node,
      row,
    }));
  }

  private callNode(call: HypercallRecord, parent: Node | undefined): Node {
    return { kind: 'call', call, parent, row: hypercallRow(call, this.nowNs) };
  }

  private show(session: Session | undefined): void {
    if (session?.ended) {
      this.refresh.dispose();
      return;
    }
    this.session = session;
    this.total = 0;
    this.scrolledTo = 0;
    this.newest = [];
    this.changed.fire(undefined);
    this.refresh.requestNow();
  }

  private refreshIfVisible(): void {
    if (this.tree.visible) this.refresh.request();
  }

  private async load(): Promise<void> {
    const { session } = this;
    if (!session || session.ended) return;
    try {
      const { total, newest } = await this.fetchNewest(session);
      if (session !== this.session) return;
      this.total = total;
      this.newest = newest;
      this.changed.fire(undefined);
      await this.scrollToNewest();
    } catch (error) {
      log.debug(`Hypercalls: ${messageOf(error)}`);
    }
  }

  private async scrollToNewest(): Promise<void> {
    const last = this.newest.at(-1);
    if (!last || this.total === this.scrolledTo || !this.tree.visible) return;
    this.scrolledTo = this.total;
    await this.tree.reveal(last, { select: false, focus: false });
  }

  /** The newest calls, and behind them all that are still blocked: there they stay in sight while others come and go. */
  private async fetchNewest(session: Session): Promise<{ total: number; newest: Node[] }> {
    const guess = layOut(Math.max(this.total, session.activity.hypercalls)).newest.start;
    const answer = await session.request('hyperstep/hypercalls', { start: guess, count: 2 * PAGE });
    const { start } = layOut(answer.total).newest;
    const calls = start === guess ? answer.calls : await this.fetch({ start, end: answer.total });
    this.nowNs = answer.virtualNs;
    const shown = new Set(calls.map((call) => call.seq));
    const blocked = await Promise.all(
      answer.unanswered
        .filter((seq) => !shown.has(seq))
        .map((seq) => this.fetch({ start: seq, end: seq + 1 })),
    );
    return {
      total: answer.total,
      newest: [
        ...calls.filter(({ after }) => after),
        ...blocked.flat(),
        ...calls.filter(({ after }) => !after),
      ].map((call) => this.callNode(call, undefined)),
    };
  }

  private async fetch({ start, end }: CallRange): Promise<HypercallRecord[]> {
    if (!this.session) return [];
    const answer = await this.session.request('hyperstep/hypercalls', { start, count: end - start });
    return answer.calls;
  }
}

function rangeNode(range: CallRange, parent: Node | undefined): Node {
  const count = (range.end - range.start).toLocaleString('en-US');
  const row: Row = parent
    ? { label: rangeLabel(range), description: `${count} calls` }
    : { label: `${count} earlier calls…`, description: rangeLabel(range) };
  return { kind: 'range', range, parent, row };
}
