import { folderOf, resolveFile } from './uris.js';

const INCLUDE = /^[ \t]*(?:#[ \t]*include[ \t]*["<]([^">]+)[">]|\.include[ \t]+"([^"]+)")/gm;

/**
 * Who includes whom among the sources of a workspace, read from their include lines alone: a file that is a part of a
 * program is assembled as that part.
 */
export class IncludeGraph {
  private readonly included = new Map<string, readonly string[]>();

  /** Takes or replaces what a file includes. */
  set(file: string, text: string): void {
    const paths = Array.from(text.matchAll(INCLUDE), ([, quoted, plain]) => quoted ?? plain);
    this.included.set(
      file,
      paths.map((path) => resolveFile(folderOf(file), path)),
    );
  }

  delete(file: string): void {
    this.included.delete(file);
  }

  get files(): Iterable<string> {
    return this.included.keys();
  }

  /** The programs that a file is a part of: those that include it and that nobody includes, nearest first. */
  rootsOf(file: string): string[] {
    const roots: string[] = [];
    const seen = new Set([file]);
    let level = [file];
    while (level.length > 0) {
      const above: string[] = [];
      for (const part of level) {
        const includers = this.includersOf(part);
        if (includers.length === 0 && part !== file) roots.push(part);
        for (const includer of includers) {
          if (seen.has(includer)) continue;
          seen.add(includer);
          above.push(includer);
        }
      }
      level = above;
    }
    return roots;
  }

  private includersOf(file: string): string[] {
    const includers: string[] = [];
    for (const [other, included] of this.included) {
      if (other !== file && included.includes(file)) includers.push(other);
    }
    return includers;
  }
}
