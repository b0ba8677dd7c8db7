/** From rows to tree items: the part that all views share. */
import * as vscode from 'vscode';
import type { Place, Row } from './row.js';

const CHANGED = vscode.Uri.parse('hyperstep-row:/changed');

const CHANGED_COLOR = new vscode.ThemeColor('hyperstep.changedValue');

const CHANGED_ICON = new vscode.ThemeIcon('circle-small-filled', CHANGED_COLOR);

/** Keeps the labels of rows that can change in one column. */
const UNCHANGED_ICON = new vscode.ThemeIcon('blank');

/** Colours the rows whose value changed, as the source control view colours changed files. */
export const changedRows: vscode.FileDecorationProvider = {
  provideFileDecoration: (uri) =>
    uri.scheme === CHANGED.scheme
      ? new vscode.FileDecoration(undefined, 'changed', CHANGED_COLOR)
      : undefined,
};

/** A node of any of the views. What a command on it needs is in `row`. */
export interface RowNode {
  readonly row: Row;
}

export function toTreeItem(
  row: Row,
  options: {
    id: string;
    contextValue?: string;
    collapsible?: vscode.TreeItemCollapsibleState;
    icon?: vscode.ThemeIcon;
  },
): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label, options.collapsible ?? vscode.TreeItemCollapsibleState.None);
  item.id = options.id;
  item.description = row.description;
  item.tooltip = row.tooltip;
  item.iconPath = options.icon ?? changeIcon(row);
  item.contextValue = options.contextValue;
  if (row.changed) item.resourceUri = CHANGED;
  if (row.place)
    item.command = { command: 'hyperstep.goToPlace', title: 'Go to Source', arguments: [row.place] };
  return item;
}

function changeIcon({ changed }: Row): vscode.ThemeIcon | undefined {
  if (changed === undefined) return undefined;
  return changed ? CHANGED_ICON : UNCHANGED_ICON;
}

/** Shows a source line without taking the focus away from the tree. */
export async function showPlace({ file, line }: Place): Promise<void> {
  const start = new vscode.Position(Math.max(0, line - 1), 0);
  await vscode.window.showTextDocument(vscode.Uri.file(file), {
    selection: new vscode.Range(start, start),
    preserveFocus: true,
    preview: true,
  });
}
