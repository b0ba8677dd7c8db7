/** What Hyperstep's client and server say to each other beside the protocol. */
import { NotificationType, RequestType } from 'vscode-languageserver';

/** `initializationOptions` of the client. */
export interface InitializationOptions {
  /** Folders of headers that the extension brings. */
  readonly includeFolders: readonly string[];
  /** `hyperstep.assembly` as the user set it. */
  readonly settings: unknown;
  /** URIs of the assembly sources of the workspace. */
  readonly sources: readonly string[];
}

/** The content of a file that is not open, by its URI: base64, or null. For a server that cannot read files itself. */
export const readFileRequest = new RequestType<string, string | null, void>('hyperstep/readFile');

/** A source of the workspace came, changed or went. */
export const sourceChangedNotification = new NotificationType<string>('hyperstep/sourceChanged');
