/** Where the server reads files that are not open in an editor. */
export interface SourceFiles {
  /** The bytes of a file, undefined when there is none, or none yet: see `onArrival`. */
  read(file: string): Uint8Array | undefined;
  /** Forgets what is known of a file that changed on disk. */
  forget(file: string): void;
  /** Called when a file that `read` did not have has come, where files cannot be read at once (in the browser). */
  onArrival: ((file: string) => void) | undefined;
}

/** Reads through a function that answers at once. */
export function synchronousFiles(read: (file: string) => Uint8Array | undefined): SourceFiles {
  return { read, forget: () => undefined, onArrival: undefined };
}

/** Files that must be asked for: `read` has them once they have come. */
export class AsynchronousFiles implements SourceFiles {
  onArrival: ((file: string) => void) | undefined;
  private readonly contents = new Map<string, Uint8Array | 'asked' | 'none'>();

  constructor(private readonly ask: (file: string) => Promise<Uint8Array | undefined>) {}

  read(file: string): Uint8Array | undefined {
    const known = this.contents.get(file);
    if (known === undefined) {
      this.contents.set(file, 'asked');
      void this.fetch(file);
    }
    return typeof known === 'string' ? undefined : known;
  }

  forget(file: string): void {
    this.contents.delete(file);
  }

  private async fetch(file: string): Promise<void> {
    // A file that cannot be read is a file that is not there: the assembler says so at the include.
    const bytes = await this.ask(file).catch(() => undefined);
    this.contents.set(file, bytes ?? 'none');
    if (bytes) this.onArrival?.(file);
  }
}
