import { DocumentHighlightKind, DocumentHighlightRequest, ReferencesRequest } from 'vscode-languageserver';
import { cursorAt } from '../workspace/cursor.js';
import { locationOf, rangeOf } from '../workspace/positions.js';
import { placesOf, subjectAt } from '../workspace/subject.js';
import { fileOfUri } from '../workspace/uris.js';
import { feature } from './feature.js';
import { registerPlaces } from './registerPlaces.js';

export const references = feature(
  ReferencesRequest.type,
  { referencesProvider: true },
  (workspace, { textDocument, position, context }) => {
    const cursor = cursorAt(workspace, textDocument.uri, position);
    const subject = cursor && subjectAt(cursor);
    if (!subject) return null;
    return placesOf(cursor, subject)
      .filter(({ isDefinition }) => context.includeDeclaration || !isDefinition)
      .map((place) => locationOf(workspace, place));
  },
);

export const documentHighlight = feature(
  DocumentHighlightRequest.type,
  { documentHighlightProvider: true },
  (workspace, { textDocument, position }) => {
    const cursor = cursorAt(
      workspace,
      textDocument.uri,
      position,
      workspace.latestAnalysis(textDocument.uri),
    );
    if (!cursor) return null;
    if (cursor.token?.kind === 'register') return registerPlaces(cursor);
    const subject = subjectAt(cursor);
    if (!subject) return null;
    const file = fileOfUri(textDocument.uri);
    return placesOf(cursor, subject)
      .filter((place) => place.file === file)
      .map((place) => ({
        range: rangeOf(place),
        kind: place.isDefinition ? DocumentHighlightKind.Write : DocumentHighlightKind.Read,
      }));
  },
);
