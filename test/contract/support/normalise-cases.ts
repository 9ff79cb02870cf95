import { click, clicksOf, long, rules } from './case.js';
import type { Case } from './case.js';

/** Unicode, where SQL and JavaScript do not agree by themselves. */
const LETTERS: readonly Case[] = [
  {
    name: 'lower case is that of Unicode, in no language',
    ruleSet: rules({ name: 'x', field: 'x', case: 'lower' }),
    log: clicksOf('x', 'İ', 'I', 'ı', 'ẞ', '\u212a', '\u212b', '\u01c4', 'É', 'E\u0301'),
    cells: {
      'x:i\u0307|a|0': 1,
      'x:i|a|0': 1,
      'x:ı|a|0': 1,
      'x:ß|a|0': 1,
      'x:k|a|0': 1,
      'x:å|a|0': 1,
      'x:\u01c6|a|0': 1,
      'x:é|a|0': 1,
      'x:e\u0301|a|0': 1,
      '|a|0': 9,
    },
    only: true,
  },
  {
    name: 'a sigma is another letter at the end of a word',
    ruleSet: rules({ name: 'x', field: 'x', case: 'lower' }),
    log: clicksOf('x', 'ΟΔΟΣ', 'ΟΔΟΣ ΑΣ', 'Σ', 'ΣΑ'),
    cells: { 'x:οδος|a|0': 1, 'x:οδος ας|a|0': 1, 'x:σ|a|0': 1, 'x:σα|a|0': 1, '|a|0': 4 },
    only: true,
  },
  {
    name: 'upper case may have more letters',
    ruleSet: rules({ name: 'x', field: 'x', case: 'upper' }),
    log: clicksOf('x', 'ß', 'SS', 'ŉ', 'ﬁ', 'ǰ', '\u0390', 'ÿ', 'ı', 'i', '\u01c6'),
    cells: {
      'x:SS|a|0': 2,
      'x:ʼN|a|0': 1,
      'x:FI|a|0': 1,
      'x:J\u030c|a|0': 1,
      'x:\u0399\u0308\u0301|a|0': 1,
      'x:Ÿ|a|0': 1,
      'x:I|a|0': 2,
      'x:\u01c4|a|0': 1,
      '|a|0': 10,
    },
    only: true,
  },
  {
    name: 'letters beyond the basic plane have a case, too',
    ruleSet: rules(
      { name: 'low', field: 'x', case: 'lower' },
      { name: 'up', field: 'x', case: 'upper' },
    ),
    log: clicksOf('x', '\u{10400}', '\u{10428}', '\u{1e900}', '\u{1d4b3}', '😀'),
    cells: {
      'low:\u{10428}|a|0': 2,
      'low:\u{1e922}|a|0': 1,
      'low:\u{1d4b3}|a|0': 1,
      'low:😀|a|0': 1,
      'up:\u{10400}|a|0': 2,
      'up:\u{1e900}|a|0': 1,
      'up:\u{1d4b3}|a|0': 1,
      'up:😀|a|0': 1,
      '|a|0': 5,
    },
    only: true,
  },
  {
    name: 'a text that upper case makes longer than 256 bytes is other',
    ruleSet: rules({ name: 'x', field: 'x', case: 'upper' }),
    log: clicksOf('x', 'ß'.repeat(128), 'ß'.repeat(129), '\u0390'.repeat(42), '\u0390'.repeat(43)),
    cells: {
      [`x:${'S'.repeat(256)}|a|0`]: 1,
      [`x:${'\u0399\u0308\u0301'.repeat(42)}|a|0`]: 1,
      'x:other|a|0': 2,
    },
  },
  {
    name: 'trim takes white space of any kind from both ends, and nothing else',
    ruleSet: rules({ name: 'x', field: 'x', trim: true }),
    log: clicksOf(
      'x',
      ...[' US', 'US\u00a0', '\ufeffUS\ufeff', '\u2003US\u3000', '\u2028US\u2029', '\u1680US'],
      ...['U S', '\u200bUS', 'US\u180e', '\u2060US', 'US\u00ad'],
    ),
    cells: {
      'x:US|a|0': 6,
      'x:U S|a|0': 1,
      'x:\u200bUS|a|0': 1,
      'x:US\u180e|a|0': 1,
      'x:\u2060US|a|0': 1,
      'x:US\u00ad|a|0': 1,
      '|a|0': 11,
    },
    only: true,
  },
  {
    name: 'what trim leaves empty is unknown, and a tab is other before it is trimmed',
    ruleSet: rules({ name: 'x', field: 'x', trim: true }, { name: 'raw', field: 'x' }),
    log: clicksOf('x', ' ', '\ufeff', '\u00a0\u2003', '', '\t', '\tUS', 'US\n'),
    cells: {
      'x:unknown|a|0': 4,
      'x:other|a|0': 3,
      'raw: |a|0': 1,
      'raw:\ufeff|a|0': 1,
      'raw:\u00a0\u2003|a|0': 1,
      'raw:unknown|a|0': 1,
      'raw:other|a|0': 3,
      '|a|0': 7,
    },
    only: true,
  },
];

/** What comes after what. */
const STEPS: readonly Case[] = [
  {
    name: 'steps are done in their own order: trim, case, unknown, map',
    ruleSet: rules({
      name: 'x',
      field: 'x',
      map: { uk: 'GB', 'n/a': 'no', UK: 'no', gb: 'n/a' },
      unknown: ['n/a', '-', ' - '],
      case: 'lower',
      trim: true,
    }),
    log: clicksOf('x', ' N/A ', '-', ' - ', '\u00a0UK', 'Uk', 'gb', 'De'),
    cells: { 'x:unknown|a|0': 3, 'x:GB|a|0': 2, 'x:n/a|a|0': 1, 'x:de|a|0': 1, '|a|0': 7 },
    only: true,
  },
  {
    name: 'neither unknown nor other is a text to any step, though a click may have them as texts',
    ruleSet: rules({
      name: 'x',
      field: 'x',
      case: 'upper',
      map: { unknown: 'no', other: 'no', UNKNOWN: 'Y', OTHER: 'Z' },
    }),
    log: clicksOf('x', null, 7, [], 'unknown', 'other', 'Other'),
    cells: { 'x:unknown|a|0': 1, 'x:other|a|0': 2, 'x:Y|a|0': 1, 'x:Z|a|0': 2, '|a|0': 6 },
    only: true,
  },
  {
    name: 'maxBytes counts bytes of UTF-8, after all other steps',
    ruleSet: rules({ name: 'x', field: 'x', trim: true, map: { 'a b c': 'abc' }, maxBytes: 4 }),
    log: clicksOf(
      'x',
      ...['abcd', 'abcde', '€x', '€xy', '\u{1d4b3}', '\u{1d4b3}a', 'éé', 'ééa', 'a b c', '  abc  '],
    ),
    cells: {
      'x:abcd|a|0': 1,
      'x:€x|a|0': 1,
      'x:\u{1d4b3}|a|0': 1,
      'x:éé|a|0': 1,
      'x:abc|a|0': 2,
      'x:other|a|0': 4,
      '|a|0': 10,
    },
    only: true,
  },
  {
    name: 'a field of up to 4,096 bytes may become a value; a longer one is other from the start',
    ruleSet: rules(
      { name: 'x', field: 'x', trim: true },
      { name: 'm', field: 'x', match: [{ pattern: 'end$', as: 'end' }] },
    ),
    log: clicksOf(
      'x',
      `${' '.repeat(4094)}US`,
      `${' '.repeat(4095)}US`,
      `${long(4093)}end`,
      `${long(4094)}end`,
      `${'é'.repeat(2046)} end`,
      `${'é'.repeat(2047)}end`,
    ),
    cells: {
      'x:US|a|0': 1,
      'x:other|a|0': 5,
      'm:unknown|a|0': 1,
      'm:end|a|0': 2,
      'm:other|a|0': 3,
    },
  },
  {
    name: 'composed and decomposed letters stay apart',
    ruleSet: rules({ name: 'x', field: 'x', case: 'lower', map: { é: 'composed' } }),
    log: clicksOf('x', 'é', 'É', 'e\u0301', 'E\u0301'),
    cells: { 'x:composed|a|0': 2, 'x:e\u0301|a|0': 2 },
  },
  {
    name: 'a value of a value has the steps of both',
    ruleSet: {
      version: 1,
      values: [
        { name: 'raw', field: 'country', trim: true, case: 'upper' },
        { name: 'code', value: 'raw', map: { UK: 'GB' }, maxBytes: 2 },
      ],
      dimensions: [
        { name: 'country', value: 'code' },
        { name: 'group', value: 'country', map: { GB: 'islands', IE: 'islands' } },
      ],
    },
    log: clicksOf('country', ' uk', 'ie', 'USA', null),
    cells: {
      'country:GB|a|0': 1,
      'country:IE|a|0': 1,
      'country:other|a|0': 1,
      'country:unknown|a|0': 1,
      'group:islands|a|0': 2,
      'group:other|a|0': 1,
      'group:unknown|a|0': 1,
      '|a|0': 4,
    },
    only: true,
  },
];

const PATTERNS: readonly Case[] = [
  {
    name: 'the first pattern that is found names the value, and none makes it unknown',
    ruleSet: rules({
      name: 'agent',
      field: 'user_agent',
      match: [
        { pattern: '(?i)bot|spider', as: 'bot' },
        { pattern: '^Mozilla/', as: 'browser' },
        { pattern: 'Mozilla', as: 'claims' },
      ],
    }),
    log: clicksOf(
      'user_agent',
      'Mozilla/5.0 (compatible; Googlebot/2.1)',
      'Mozilla/5.0 (X11)',
      'like Mozilla/5.0',
      'curl/8',
      'SPIDER',
      null,
      7,
    ),
    cells: {
      'agent:bot|a|0': 2,
      'agent:browser|a|0': 1,
      'agent:claims|a|0': 1,
      'agent:unknown|a|0': 2,
      'agent:other|a|0': 1,
      '|a|0': 7,
    },
    only: true,
  },
  {
    name: 'patterns are about code points, and ignore case as Unicode does',
    ruleSet: rules(
      { name: 'one', field: 'x', match: [{ pattern: '^.$', as: 'y' }] },
      { name: 'k', field: 'x', match: [{ pattern: '(?i)^k$', as: 'y' }] },
      { name: 'letters', field: 'x', match: [{ pattern: '^\\p{L}+$', as: 'y' }] },
      { name: 'word', field: 'x', match: [{ pattern: '^\\w+$', as: 'y' }] },
    ),
    log: clicksOf('x', '\u{1d4b3}', 'K', '\u212a', 'é', 'e\u0301', 'kk', '٣'),
    cells: {
      'one:y|a|0': 5,
      'k:y|a|0': 2,
      'letters:y|a|0': 5,
      'word:y|a|0': 2,
      'one:unknown|a|0': 2,
    },
  },
  {
    name: 'a pattern that backtracking would never end with',
    ruleSet: rules({ name: 'x', field: 'x', match: [{ pattern: '^(a+)+$', as: 'as' }] }),
    log: clicksOf('x', `${'a'.repeat(4095)}!`, 'a'.repeat(4096), 'a'),
    cells: { 'x:unknown|a|0': 1, 'x:as|a|0': 2 },
  },
  {
    name: 'a field as it is, trimmed and matched, in dimensions side by side',
    ruleSet: rules(
      { name: 'raw', field: 'x' },
      { name: 'low', field: 'x', trim: true, case: 'lower' },
      { name: 'm', field: 'x', match: [{ pattern: '^ ', as: 'spaced' }] },
    ),
    log: [...clicksOf('x', ' A', 'A', 'a'), click()],
    cells: {
      'raw: A|a|0': 1,
      'raw:A|a|0': 1,
      'raw:a|a|0': 1,
      'raw:unknown|a|0': 1,
      'low:a|a|0': 3,
      'low:unknown|a|0': 1,
      'm:spaced|a|0': 1,
      'm:unknown|a|0': 3,
      '|a|0': 4,
    },
    only: true,
  },
];

/** What the steps of a value make of a text. */
export const NORMALISE_CASES: readonly Case[] = [...LETTERS, ...STEPS, ...PATTERNS];
