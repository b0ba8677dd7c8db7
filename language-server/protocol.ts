/** What Hyperstep's client and server say to each other beside the protocol. */

/** `initializationOptions` of the client. */
export interface InitializationOptions {
  /** Folders of headers that the extension brings. */
  readonly includeFolders: readonly string[];
  /** `hyperstep.assembly` as the user set it. */
  readonly settings: unknown;
  /** URIs of the assembly sources of the workspace. */
  readonly sources: readonly string[];
}

/** Request of a server that cannot read files: a `FileReference` in, the content out: base64, or null for none. */
export const READ_FILE = 'hyperstep/readFile';
/** Notification of the client: a source of the workspace (`FileReference`) came, changed or went. */
export const SOURCE_CHANGED = 'hyperstep/sourceChanged';
/** Notification of the client: a C source (`SavedSource`) was saved; the compiler looks at those for guests and hosts. */
export const COMPILED_SOURCE_SAVED = 'hyperstep/compiledSourceSaved';

export interface FileReference {
  readonly uri: string;
}
export interface SavedSource extends FileReference {
  readonly text: string;
}
