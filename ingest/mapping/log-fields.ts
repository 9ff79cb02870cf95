/**
 * What the fields of a log are called as columns of a mapping: the same words for both servers.
 * Apache: mod_log_config and mod_logio of 2.4; nginx: the variables of its core module.
 */
const APACHE: Readonly<Record<string, string>> = {
  h: 'remote_host',
  a: 'remote_ip',
  A: 'local_ip',
  l: 'ident',
  u: 'user',
  t: 'time',
  r: 'request',
  m: 'method',
  U: 'path',
  q: 'query',
  H: 'protocol',
  s: 'status',
  b: 'bytes',
  B: 'bytes',
  I: 'bytes_in',
  O: 'bytes_out',
  S: 'bytes_total',
  D: 'duration_us',
  T: 'duration_s',
  f: 'filename',
  v: 'server',
  V: 'server_used',
  p: 'port',
  P: 'pid',
  X: 'connection',
  k: 'keepalive',
  L: 'log_id',
  R: 'handler',
};

/** Directives that name something: `%{User-Agent}i`. */
const APACHE_NAMED: Readonly<Record<string, string>> = {
  i: 'header',
  o: 'response',
  e: 'env',
  C: 'cookie',
  n: 'note',
};

/** Arguments that make another column of a directive: `%{msec}t`. */
const APACHE_UNITS: Readonly<Record<string, string>> = {
  'a c': 'peer_ip',
  't sec': 'time_s',
  't msec': 'time_ms',
  't usec': 'time_us',
  't msec_frac': 'time_msec_frac',
  't usec_frac': 'time_usec_frac',
  'T ms': 'duration_ms',
  'T us': 'duration_us',
  'T s': 'duration_s',
};

const NGINX: Readonly<Record<string, string>> = {
  remote_addr: 'remote_host',
  remote_user: 'user',
  time_local: 'time',
  request_method: 'method',
  request_uri: 'target',
  uri: 'path',
  document_uri: 'path',
  args: 'query',
  query_string: 'query',
  server_protocol: 'protocol',
  body_bytes_sent: 'bytes',
};

/** The column of an Apache directive; undefined if there is no such directive. */
export function apacheField(letter: string, argument: string | undefined): string | undefined {
  const kind = APACHE_NAMED[letter];
  if (kind !== undefined) {
    if (argument === undefined || argument === '') return undefined;
    return kind === 'header' ? headerColumn(argument) : `${kind}.${argument}`;
  }
  const unit = argument === undefined ? undefined : APACHE_UNITS[`${letter} ${argument}`];
  return unit ?? APACHE[letter];
}

/** The column of an nginx variable; one that is not known here keeps its name. */
export function nginxField(variable: string): string {
  const known = NGINX[variable];
  if (known !== undefined) return known;
  const named = /^(http|cookie|arg|sent_http)_(.+)$/.exec(variable);
  if (named === null) return variable;
  const name = named[2]!;
  switch (named[1]) {
    case 'http':
      return headerColumn(name.replaceAll('_', '-'));
    case 'sent_http':
      return `response.${name.replaceAll('_', '-')}`;
    case 'arg':
      return `query.${name}`;
    default:
      return `cookie.${name}`;
  }
}

/** The column of a request header; the case of its name does not matter. */
export function headerColumn(name: string): string {
  const lower = name.toLowerCase();
  if (lower === 'referer') return 'referer';
  return lower === 'user-agent' ? 'user_agent' : `header.${lower}`;
}
