/** A view of the machine's state at a stop: loaded whole, kept until the next stop. Registers and VMCS are two of them. */
import * as vscode from 'vscode';
import { log, messageOf } from '../report.js';
import type { Session, Sessions } from '../session.js';
import { Throttle } from '../throttle.js';
import type { RowNode } from './treeItem.js';
import { toTreeItem } from './treeItem.js';

export interface SnapshotNode extends RowNode {
  id: string;
  children?: SnapshotNode[];
  expanded?: boolean;
  icon?: vscode.ThemeIcon;
  /** Sets the value; absent where it cannot be set. */
  edit?: (value: string) => Promise<void>;
}

export interface Snapshot {
  /** Stands beside the view's title: `guest, vCPU 0`. */
  description?: string;
  roots: SnapshotNode[];
}

const REFRESH_MS = 250;

export class SnapshotView implements vscode.Disposable, vscode.TreeDataProvider<SnapshotNode> {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  private readonly tree: vscode.TreeView<SnapshotNode>;
  private readonly subscriptions: vscode.Disposable[];
  private readonly throttle = new Throttle(REFRESH_MS, () => this.load());
  private roots: SnapshotNode[] = [];
  private stale = true;

  constructor(
    viewId: string,
    private readonly sessions: Sessions,
    private readonly take: (session: Session) => Promise<Snapshot>,
  ) {
    this.tree = vscode.window.createTreeView(viewId, { treeDataProvider: this, showCollapseAll: true });
    this.subscriptions = [
      this.tree,
      this.throttle,
      this.changed,
      sessions.onDidChange((session) => {
        this.show({ roots: [] });
        if (session && !session.running) this.refresh();
      }),
      sessions.onDidStop(() => this.refresh()),
      this.tree.onDidChangeVisibility(() => {
        if (this.stale && this.tree.visible) this.refresh();
      }),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  /** Takes the state again, when someone looks at it. */
  refresh(): void {
    this.stale = true;
    if (this.tree.visible) this.throttle.requestNow();
  }

  getTreeItem(node: SnapshotNode): vscode.TreeItem {
    const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
    return toTreeItem(node.row, {
      id: node.id,
      contextValue: node.edit ? 'value.editable' : node.row.copyText === undefined ? undefined : 'value',
      collapsible: !node.children?.length ? None : node.expanded ? Expanded : Collapsed,
      icon: node.icon,
    });
  }

  getChildren(node?: SnapshotNode): SnapshotNode[] {
    return node ? (node.children ?? []) : this.roots;
  }

  private async load(): Promise<void> {
    const session = this.sessions.current;
    if (!session || session.ended || session.running) return;
    try {
      const snapshot = await this.take(session);
      if (session === this.sessions.current) this.show(snapshot);
      this.stale = false;
    } catch (error) {
      log.debug(`${this.tree.title ?? 'view'}: ${messageOf(error)}`);
    }
  }

  private show({ roots, description }: Snapshot): void {
    this.roots = roots;
    this.tree.description = description;
    this.changed.fire(undefined);
  }
}
