// Lint: type-aware correctness rules, the house style, and the import rules of ARCHITECTURE.md.
// The import rules are data (`MAY_IMPORT`); test/repo/import-rules.test.ts proves each of them.
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * Every folder of code, and what it may import besides itself: folders, or one folder in another
 * (`stream/kafka`). `null`: all of them.
 */
export const MAY_IMPORT = {
  core: [],
  store: ['core'],
  lake: ['core'],
  stream: ['core', 'store', 'lake'],
  batch: ['core', 'lake'],
  activities: ['core', 'batch', 'store', 'lake', 'workflows'],
  workflows: ['core'],
  ingest: ['core'],
  collect: ['core', 'ingest'],
  api: ['core', 'store'],
  audit: ['core', 'stream/kafka'],
  runtime: null,
  cli: null,
  bench: null,
  test: null,
};

const FOLDERS = Object.keys(MAY_IMPORT);

/** The generator knows the truth on its own: it shares no code with what it checks. */
const GENERATOR = 'ingest/generator/**/*.ts';

const HOUSE_SYNTAX = [
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: name what you export.' },
  { selector: 'TSEnumDeclaration', message: 'No TS enums: a const object and a union type.' },
  {
    selector: 'ExportAllDeclaration',
    message: 'No barrels: import from the file that defines it.',
  },
];

const TEST_SYNTAX = [
  {
    selector:
      'MemberExpression[object.name=/^(it|test|describe)$/]' +
      '[property.name=/^(only|skip|skipIf|runIf|todo)$/]',
    message: 'A test skips only through skipUnless(condition, why) of test/support, with a reason.',
  },
];

/** `core/` says what a count means: the same answer for the same arguments, for ever. */
const IMPURE_SYNTAX = [
  ["MemberExpression[object.name='Date'][property.name='now']", 'Date.now()'],
  ["NewExpression[callee.name='Date'][arguments.length=0]", 'new Date() without an argument'],
  ["CallExpression[callee.name='Date']", 'Date()'],
  ["MemberExpression[object.name='Math'][property.name='random']", 'Math.random()'],
].map(([selector, what]) => ({
  selector,
  message: `core/ has no clock and no randomness: pass it in instead of ${what}.`,
}));

const IMPURE_GLOBALS = [
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'console',
  'fetch',
  'crypto',
  'globalThis',
].map((name) => ({ name, message: 'core/ is pure: no I/O, no clock, no randomness.' }));

/**
 * A path that climbs out and enters one of `folders`, but not one of the folders `inside` them, as
 * a regular expression source.
 */
function climbsInto(folders, inside = []) {
  const except = inside.length === 0 ? '' : `(?!(${inside.join('|')})/(?!.*\\.\\./))`;
  return `^(\\.\\.?/)*\\.\\./${except}(${folders.join('|')})/`;
}

/** Forbids the module paths that match `regex`, statically and by `import()`. */
function forbidding(files, patterns, moreSyntax = []) {
  return {
    files,
    rules: {
      'no-restricted-imports': ['error', { patterns }],
      'no-restricted-syntax': [
        'error',
        ...HOUSE_SYNTAX,
        ...moreSyntax,
        ...patterns
          .filter(({ regex }) => regex !== undefined)
          .map(({ regex, message }) => ({
            selector: `ImportExpression[source.value=/${regex.replaceAll('/', '\\u002F')}/]`,
            message,
          })),
      ],
    },
  };
}

function importRules(folder, allowed) {
  const forbidden = FOLDERS.filter((other) => other !== folder && !allowed.includes(other));
  const message = `${folder}/ may import ${allowed.join(', ') || 'nothing but itself'}.`;
  const inside = allowed.filter((other) => other.includes('/'));
  return forbidding([`${folder}/**/*.ts`], [{ regex: climbsInto(forbidden, inside), message }]);
}

const coreRules = forbidding(
  ['core/**/*.ts'],
  [
    {
      regex: climbsInto(FOLDERS.filter((f) => f !== 'core')),
      message: 'core/ imports nothing but itself.',
    },
    {
      regex: '^(?!\\.|node:crypto$|re2js$|ipaddr\\.js$)',
      message:
        'core/ imports re2js and ipaddr.js, which are pure, no other package; of Node only hashing.',
    },
    {
      regex: '^node:crypto$',
      allowImportNames: ['createHash', 'hash', 'Hash'],
      message: 'core/ may hash; it has no randomness and holds no keys.',
    },
  ],
  IMPURE_SYNTAX,
);
coreRules.rules['no-restricted-globals'] = ['error', ...IMPURE_GLOBALS];

const generatorRules = forbidding(
  [GENERATOR],
  [{ regex: '^(\\.\\./)+(?!generator/)', message: 'The generator imports nothing but itself.' }],
);

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.truecount/', 'coverage/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/require-await': 'off', // an async port may have a synchronous engine
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off', // hot paths index typed arrays
      '@typescript-eslint/no-unnecessary-condition': 'off', // off with noUncheckedIndexedAccess
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...HOUSE_SYNTAX],
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
    },
  },
  ...Object.entries(MAY_IMPORT)
    .filter(([folder, allowed]) => allowed !== null && folder !== 'core')
    .map(([folder, allowed]) => importRules(folder, allowed)),
  coreRules,
  generatorRules,
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...HOUSE_SYNTAX, ...TEST_SYNTAX] },
  },
  {
    // Node runs these directly and tsc does not see them; tools read their default export.
    files: ['*.mjs', '*.ts', 'scripts/**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: { console: 'readonly', process: 'readonly', URL: 'readonly' },
      parserOptions: { projectService: false },
    },
    rules: { 'no-restricted-syntax': 'off' },
  },
);
