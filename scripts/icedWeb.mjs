// iced-x86 for the browser: its glue reads the WebAssembly by Node's fs; here the bytes are in the bundle.
import path from 'node:path';

/** An esbuild plugin: `fs`, `path` and `util` as iced-x86 uses them. */
export function icedInBrowser(root) {
  const wasm = path.join(root, 'node_modules', 'iced-x86', 'iced_x86_bg.wasm');
  const modules = {
    fs: `import bytes from ${JSON.stringify(wasm)}; export const readFileSync = () => bytes;`,
    path: `export const join = (...parts) => parts.join('/');`,
    util: `export const TextDecoder = globalThis.TextDecoder; export const TextEncoder = globalThis.TextEncoder;`,
  };
  return {
    name: 'iced-in-browser',
    setup(build) {
      build.onResolve({ filter: /^(fs|path|util)$/ }, ({ path: name, importer }) =>
        importer.includes('iced-x86') ? { path: name, namespace: 'iced' } : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: 'iced' }, ({ path: name }) => ({
        contents: modules[name],
        resolveDir: root,
      }));
    },
  };
}
