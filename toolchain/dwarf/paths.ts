/** The path of `name` in `directory` when it is relative, without `.`, `..` and doubled separators in it. */
export function joinPath(directory: string, name: string): string {
  return normalizePath(isAbsolute(name) || directory === '' ? name : `${directory}/${name}`);
}

export function isAbsolute(path: string): boolean {
  return path.startsWith('/') || path.startsWith('\\') || /^[A-Za-z]:[\\/]/.test(path);
}

/** One spelling for each file: forward slashes, no `.`, no `..` but leading ones, no doubled separators. */
export function normalizePath(path: string): string {
  const forward = path.replaceAll('\\', '/');
  if (!/\/\/|(^|\/)\.\.?(\/|$)/.test(forward)) {
    return forward;
  }
  const root = forward.startsWith('/') ? '/' : '';
  const parts: string[] = [];
  for (const part of forward.split('/')) {
    if (part === '' || part === '.') {
      continue;
    }
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') {
      parts.pop();
    } else if (part !== '..' || root === '') {
      parts.push(part);
    }
  }
  return root + parts.join('/');
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
