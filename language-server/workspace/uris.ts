/** File names as the assembler knows them, and the URIs of editors. */

/**
 * The name under which the toolchain knows a document: the path of a `file:` URI, with `/` on every system; the whole
 * URI of any other scheme (`vscode-vfs:` and the like), which works as a path too.
 */
export function fileOfUri(uri: string): string {
  const local = /^file:\/\/([^/]*)(\/.*)$/.exec(uri);
  if (!local) return uri;
  const [, authority, encoded] = local;
  const path = decodeURIComponent(encoded);
  if (authority) return `//${authority}${path}`;
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

/** The inverse of `fileOfUri`. */
export function uriOfFile(file: string): string {
  if (/^[A-Za-z][\w+.-]+:\/\//.test(file)) return file;
  const path = file.replace(/\\/g, '/');
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  if (path.startsWith('//')) return `file:${encoded}`;
  return path.startsWith('/') ? `file://${encoded}` : `file:///${encoded}`;
}

/** A path relative to a folder, or an absolute one, without `.` and `..`. */
export function resolveFile(folder: string, path: string): string {
  const slashed = path.replace(/\\/g, '/');
  if (/^(\/|[A-Za-z]:\/|[A-Za-z][\w+.-]+:\/\/)/.test(slashed)) return normalize(slashed);
  return normalize(`${folder.replace(/\\/g, '/')}/${slashed}`);
}

export function folderOf(file: string): string {
  return file.replace(/[/\\][^/\\]*$/, '') || '/';
}

function normalize(path: string): string {
  const [, root, rest] = /^([A-Za-z][\w+.-]+:\/\/[^/]*\/?|[A-Za-z]:\/|\/*)(.*)$/s.exec(path)!;
  const parts: string[] = [];
  for (const part of rest.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return root + parts.join('/');
}
