// Lint rules. The import direction of ARCHITECTURE.md is enforced here, not by discipline.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Top-level folders in the order of dependence: an arrow may only point down the list. */
const order = ['bench', 'extension', 'cli', 'debug-adapter', 'language-server', 'toolchain', 'emulator'];

const mayImport = {
  bench: ['cli', 'debug-adapter', 'language-server', 'toolchain', 'emulator'],
  extension: ['cli', 'debug-adapter', 'language-server', 'toolchain', 'emulator'],
  cli: ['debug-adapter', 'toolchain', 'emulator'],
  'debug-adapter': ['toolchain', 'emulator'],
  'language-server': ['toolchain', 'emulator'],
  toolchain: ['emulator'],
  emulator: [],
};

const direction = order.map((folder) => ({
  files: [`${folder}/**/*.ts`],
  // The emulator's tests run in Node and compare with the native CPU.
  ignores: folder === 'emulator' ? ['emulator/test/**'] : [],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          ...order
            .filter((other) => other !== folder && !mayImport[folder].includes(other))
            .map((other) => ({
              group: [`**/${other}/**`],
              message: `${folder}/ may not import ${other}/ (see ARCHITECTURE.md).`,
            })),
          ...(folder === 'extension'
            ? []
            : [{ group: ['vscode'], message: 'Only extension/ may import vscode.' }]),
          ...(folder === 'toolchain' || folder === 'language-server'
            ? [
                {
                  regex: 'emulator/(?!isa/)',
                  message: `${folder}/ may import only emulator/isa/.`,
                },
              ]
            : []),
          ...(folder === 'emulator'
            ? [
                {
                  group: ['node:*', 'fs', 'path', 'iced-x86'],
                  message: 'The emulator is pure: no Node, no libraries.',
                },
              ]
            : []),
        ],
      },
    ],
    ...(folder === 'emulator'
      ? {
          'no-restricted-globals': ['error', 'process', 'performance', 'setTimeout', 'setInterval', 'Buffer'],
          'no-restricted-properties': [
            'error',
            { object: 'Date', property: 'now', message: 'The emulator reads no wall clock.' },
            { object: 'Math', property: 'random', message: 'The emulator is deterministic.' },
          ],
        }
      : {}),
  },
}));

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'out/**'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-extraneous-class': 'off',
      // A request without a response body has the body `void`.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      'max-lines': ['warn', { max: 450, skipBlankLines: true, skipComments: true }],
    },
  },
  ...direction,
);
