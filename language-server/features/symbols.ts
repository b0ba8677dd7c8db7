import { DocumentSymbolRequest, SymbolKind, WorkspaceSymbolRequest } from 'vscode-languageserver';
import type { DocumentSymbol, SymbolInformation } from 'vscode-languageserver';
import type { Analysis, AnalyzedSymbol, SourceRange } from '../../toolchain/assembler/analysis.js';
import { locationOf, rangeOf } from '../workspace/positions.js';
import { fileOfUri } from '../workspace/uris.js';
import { isNasm } from '../workspace/workspace.js';
import { nasmSymbols } from '../nasm/symbols.js';
import { feature } from './feature.js';

interface NamedPlace {
  readonly name: string;
  readonly kind: SymbolKind;
  readonly detail: string;
  readonly place: SourceRange;
  /** Last line of what it names, where the source says so. */
  readonly endLine?: number;
}

/** `.L` names are for the assembler, not for people. */
const isShown = (name: string): boolean => !name.startsWith('.L');

function kindOf({ kind, type, section }: AnalyzedSymbol): SymbolKind {
  if (kind === 'assignment') return SymbolKind.Constant;
  if (type === 'object' || /^\.(data|bss|rodata)/.test(section ?? '')) return SymbolKind.Variable;
  return SymbolKind.Function;
}

function detailOf({ kind, value, section, binding }: AnalyzedSymbol): string {
  const number = value === undefined ? '' : `0x${BigInt.asUintN(64, value).toString(16)}`;
  const scope = binding === 'local' ? '' : ` ${binding}`;
  return kind === 'assignment' ? `= ${number}` : `${section ?? ''}${scope}`.trim();
}

function namedPlaces({ symbols, macros, preprocessorMacros }: Analysis): NamedPlace[] {
  const places: NamedPlace[] = [];
  for (const symbol of symbols.values()) {
    const { name, definition: place } = symbol;
    if (place && isShown(name)) places.push({ name, kind: kindOf(symbol), detail: detailOf(symbol), place });
  }
  for (const { name, parameters, definition: place, endLine } of macros.values()) {
    const detail = `.macro ${parameters.map((parameter) => parameter.name).join(', ')}`.trim();
    places.push({ name, kind: SymbolKind.Module, detail, place, endLine });
  }
  for (const { name, definition: place, body } of preprocessorMacros.values()) {
    if (place) places.push({ name, kind: SymbolKind.Constant, detail: body, place });
  }
  return places;
}

export const documentSymbol = feature(
  DocumentSymbolRequest.type,
  { documentSymbolProvider: true },
  (workspace, { textDocument }) => {
    const file = fileOfUri(textDocument.uri);
    if (isNasm(file)) return nasmSymbols(workspace.document(textDocument.uri)?.getText() ?? '');
    const analysis = workspace.analysis(textDocument.uri);
    if (!analysis) return null;
    const places = namedPlaces(analysis)
      .filter(({ place }) => place.file === file)
      .sort((left, right) => left.place.line - right.place.line);
    return outline(places, lineCount(analysis, file));
  },
);

/** A label's code goes on to the next one. */
function outline(places: readonly NamedPlace[], lines: number): DocumentSymbol[] {
  const labels = places.filter(({ kind }) => kind === SymbolKind.Function || kind === SymbolKind.Variable);
  return places.map(({ name, kind, detail, place, endLine }) => {
    const next = labels.find(({ place: other }) => other.line > place.line);
    const isLabel = kind === SymbolKind.Function || kind === SymbolKind.Variable;
    const last = endLine ?? (isLabel ? (next ? next.place.line - 1 : lines) : place.line);
    const selectionRange = rangeOf(place);
    const end = last > place.line ? { line: last, character: 0 } : selectionRange.end;
    return { name, kind, detail, selectionRange, range: { start: selectionRange.start, end } };
  });
}

function lineCount(analysis: Analysis, file: string): number {
  let low = 1;
  let high = 1;
  while (analysis.lineText(file, high) !== undefined) {
    low = high;
    high *= 2;
  }
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (analysis.lineText(file, middle) === undefined) high = middle;
    else low = middle;
  }
  return low;
}

const MOST_SYMBOLS = 500;

export const workspaceSymbol = feature(
  WorkspaceSymbolRequest.type,
  { workspaceSymbolProvider: true },
  (workspace, { query }) => {
    const found = new Map<string, SymbolInformation>();
    for (const file of workspace.programs()) {
      const analysis = workspace.analyze(file);
      for (const { name, kind, place } of analysis ? namedPlaces(analysis) : []) {
        if (found.size >= MOST_SYMBOLS) break;
        if (!isSubsequence(query.toLowerCase(), name.toLowerCase())) continue;
        found.set(`${place.file}:${place.line}:${name}`, {
          name,
          kind,
          location: locationOf(workspace, place),
        });
      }
    }
    return [...found.values()];
  },
);

/** The letters of a query stand in a name in their order, as in VS Code's own search. */
function isSubsequence(query: string, name: string): boolean {
  let at = 0;
  for (const letter of query) {
    at = name.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
