/** DAP sources: files of this machine, and listings for code whose file is not there. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debuggee } from '../debuggee/debuggee.js';
import { codeSpaceOfFrame } from '../disassembly/codeSpace.js';
import type { CodeFrame } from '../stack/frame.js';
import type { Listing } from './listing.js';
import { createListing } from './listing.js';
import { RequestError } from '../session/requestError.js';

/** Where a stack frame is, as the protocol says it. */
export interface FramePlace {
  readonly source: DebugProtocol.Source;
  readonly line: number;
  readonly column: number;
}

type SourceBody = DebugProtocol.SourceResponse['body'];

const LISTING_MIME_TYPE = 'text/x-asm';

/** Keeps listings for the whole session: an editor may ask for one at any time. */
export class Sources {
  /** By source reference minus one. */
  private readonly listings: Listing[] = [];
  private readonly onDisk = new Map<string, boolean>();

  constructor(
    private readonly debuggee: Debuggee,
    /** Is there such a file on this machine? */
    private readonly fileExists: (path: string) => boolean,
  ) {}

  /** The frame's file, or a listing of its code. */
  placeOf(frame: CodeFrame): FramePlace {
    const { place } = frame;
    if (place && this.isOnDisk(place.file)) {
      return { source: fileSource(place.file), line: place.line, column: Math.max(1, place.column) };
    }
    const listing = createListing(codeSpaceOfFrame(this.debuggee, frame), frame, place?.file);
    const source = this.listingSource(listing);
    return { source, line: listing.lines.get(frame.pc) ?? 1, column: 1 };
  }

  /** The `source` request: the text of a listing. Throws an Error with a user's message. */
  content(args: DebugProtocol.SourceArguments): SourceBody {
    const reference = args.source?.sourceReference ?? args.sourceReference;
    if (reference > 0) {
      const listing = this.listings[reference - 1];
      if (!listing) throw new RequestError('this disassembly belongs to a session that is over');
      return { content: listing.text, mimeType: LISTING_MIME_TYPE };
    }
    const path = args.source?.path ?? args.source?.name ?? 'this source';
    throw new RequestError(`${path} is not on this machine`);
  }

  /** The `loadedSources` request: files of all images, without the compiler's own. */
  loaded(): DebugProtocol.Source[] {
    const paths = this.debuggee.allImages.flatMap((image) =>
      image.debugInfo.sourceFiles.map(image.sourcePath),
    );
    return [...new Set(paths)].filter((path) => this.isOnDisk(path)).map(fileSource);
  }

  private listingSource(listing: Listing): DebugProtocol.Source {
    let index = this.listings.findIndex(({ name, text }) => name === listing.name && text === listing.text);
    // Changed code is a new source: an open editor never asks for the same one again.
    if (index < 0) index = this.listings.push(listing) - 1;
    return { name: listing.name, sourceReference: index + 1, origin: 'disassembly of memory' };
  }

  private isOnDisk(path: string): boolean {
    let exists = this.onDisk.get(path);
    if (exists === undefined) {
      exists = this.fileExists(path);
      this.onDisk.set(path, exists);
    }
    return exists;
  }
}

export function fileSource(path: string): DebugProtocol.Source {
  return { name: path.replace(/^.*[/\\]/, ''), path };
}
