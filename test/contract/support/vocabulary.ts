/** Texts that random clicks and random rule sets share, so that they meet. */

/** Countries, devices and what else is said in a word. */
export const WORDS = [
  ...['US', 'UK', 'GB', 'us', ' US', 'US\u00a0', 'mobile', 'a', 'b', '-', 'n/a'],
  ...['unknown', 'other', 'é', 'e\u0301', 'ß', 'İ', 'ΟΣ', '\u{10400}', '×', 'a×b', '\\', '\ufeff'],
  ...['__proto__', 'constructor', 'é'.repeat(128), 'é'.repeat(129), '\uff5a', '\u{1d4b3}'],
];

export const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64)',
  'Mozilla/5.0 (compatible; Googlebot/2.1)',
  'curl/8.5.0',
  'iPhone',
  'BOT',
];

export const ADDRESSES = [
  ...['10.0.0.0', '10.1.2.3', '10.1.2.4', '10.255.255.255', '11.0.0.0', '192.0.2.128'],
  ...['::ffff:10.1.2.3', '::ffff:a01:203', '::10.1.2.3', '2001:db8::1', '2001:DB8:0::0:1'],
  ...['::', 'fe80::1%eth0', ' 10.1.2.3', '010.1.2.3', 'localhost'],
];

/** CIDR blocks around the addresses, nested and equal ones among them. */
export const BLOCKS = [
  ...['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/30', '10.1.2.3', '192.0.2.128/25', '0.0.0.0/0'],
  ...['::/0', '::/96', '::ffff:10.0.0.0/104', '2001:db8::/32', '2001:db8::1', '10.0.0.0/32'],
];

export const USERS = ['u1', 'u1', 'u1', 'u2', 'U1', 'u1 '];

export const ADS = ['a', 'a', 'b', 'c'];

/** In RE2 syntax; most are found in some of the texts above. */
export const PATTERNS = [
  ...['(?i)bot', '^Mozilla/', '^curl/[0-9.]+$', 'U[SK]', '^.$', '^.*$', 'a|b', '^(a+)+$'],
  ...['\\p{L}{2,}', '\\b10\\.', '[^\\x00-\\x7f]', '(?i)^ß|i', '\\s$', '^[[:upper:]]+$', '×'],
];

/** Fields of clicks with the texts that they often have. */
export const FIELD_TEXTS: Readonly<Record<string, readonly string[]>> = {
  country: WORDS,
  device: WORDS,
  ad_format: WORDS,
  campaign: WORDS,
  user_id: USERS,
  ip: ADDRESSES,
  user_agent: AGENTS,
  ['__proto__']: WORDS,
  'x"y': WORDS,
};

export const FIELDS: readonly string[] = Object.keys(FIELD_TEXTS);
