import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logColumns } from '../../ingest/formats/log-columns.js';
import { LogLineScanner, unescaped } from '../../ingest/formats/log-line.js';
import { COMBINED_LOG, compileLogFormat } from '../../ingest/mapping/log-format.js';
import { percentDecoded } from '../../ingest/mapping/percent.js';

const NGINX_COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent ' +
  '"$http_referer" "$http_user_agent"';

/** Values of columns of a line, or where it does not follow the format. */
function read(format: string, line: string, columns: readonly string[]): unknown {
  const compiled = compileLogFormat(format);
  const scanner = new LogLineScanner(compiled);
  const mismatch = scanner.scan(line);
  if (mismatch !== undefined) return [mismatch.column, mismatch.reason];
  return logColumns(compiled, columns).map(({ field, of }) => of(scanner.value(field)));
}

const LINE =
  '10.1.2.3 - ann smith [17/May/2015:10:05:03 +0000] "GET /a%20b?ad=x%26y+z&q HTTP/1.1" 200 2326 ' +
  '"-" "Moz \\"5\\" \\\\ \\xc3\\xa9"';

describe('a log format', () => {
  it.each([
    ['Apache combined', COMBINED_LOG],
    ['nginx combined', NGINX_COMBINED],
    ['Apache, as its configuration quotes it', COMBINED_LOG.replaceAll('"', '\\"')],
  ])('%s gives the same words', (_, format) => {
    const columns = ['remote_host', 'user', 'time', 'method', 'path', 'query', 'protocol'];
    expect(read(format, LINE, columns)).toEqual([
      ...['10.1.2.3', 'ann smith', '17/May/2015:10:05:03 +0000', 'GET', '/a%20b', 'ad=x%26y+z&q'],
      'HTTP/1.1',
    ]);
    const more = ['status', 'bytes', 'referer', 'user_agent', 'query.ad', 'query.q', 'query.none'];
    expect(read(format, LINE, more)).toEqual(['200', '2326', '', 'Moz "5" \\ é', 'x&y z', '', '']);
    expect(read(format, LINE, ['header.User-Agent', 'header.referer'])).toEqual([
      'Moz "5" \\ é',
      '',
    ]);
  });

  it.each([
    ['%{X-Ad}i %400,501{Accept}i %!200{Foo}o', '1 2 3', 'header.x-ad', '1'],
    ['%400,501{Accept}i', '2', 'header.accept', '2'],
    ['%{UNIQUE_ID}e|%{sid}C', 'id1|s', 'env.UNIQUE_ID', 'id1'],
    ['%{UNIQUE_ID}e|%{sid}C', 'id1|s', 'cookie.sid', 's'],
    ['%{sec}t %{msec}t', '17 17000', 'time_ms', '17000'],
    ['%{%Y-%m-%d %H:%M:%S}t|%h', '2015-05-17 10:05:03|x', 'time', '2015-05-17 10:05:03'],
    ['%m %U%q %H', 'GET /a?b=c HTTP/1.1', 'path', '/a'],
    ['%m %U%q %H', 'GET /a?b=c HTTP/1.1', 'query.b', 'c'],
    ['%U %q', '/a ?b=c', 'query', 'b=c'],
    ['100%% %D\\t%h', '100% 17\tx', 'remote_host', 'x'],
    ['%a %h %^FB', '1 2 3', 'remote_ip', null],
    ['$request_id $time_iso8601', 'ab 2015-05-17T10:05:03+02:00', 'request_id', 'ab'],
    ['${remote_addr}x$msec', '::1x1.5', 'msec', '1.5'],
    ['$arg_ad $http_x_forwarded_for', '7 ::1', 'query.ad', '7'],
    ['$arg_ad $http_x_forwarded_for', '7 ::1', 'header.x-forwarded-for', '::1'],
    ['$request_uri $request_method', '/a?b HEAD', 'path', '/a'],
    ['"$request"', '"GET http://host.example/a/b?c HTTP/1.1"', 'path', '/a/b'],
    ['"$request"', '"GET https://host.example HTTP/1.1"', 'path', '/'],
    ['"$request"', '"GET /a b HTTP/1.0"', 'path', '/a b'],
    ['"$request"', '"GET /a"', 'path', '/a'],
    ['"$request"', '"GET /a"', 'protocol', ''],
    ['"$request"', '"-"', 'path', ''],
    ['"$request"', '"\\x16\\x03\\x01"', 'path', ''],
    ['"$request"', '"GET  HTTP/1.1"', 'path', ''],
  ])('%s reads from %j as %s: %j', (format, line, column, expected) => {
    if (expected === null) expect(() => compileLogFormat(format)).toThrow(/character 7/);
    else expect(read(format, line, [column])).toEqual([expected]);
  });

  it.each([
    ['', /there is no %h of Apache/],
    ['%h %l %y', /no directive of Apache's LogFormat at character 7: "%y"/],
    ['%h %', /at character 4: "%"/],
    ['%h %{Referer}', /at character 4/],
    ['%h %i', /at character 4/],
    ['%h%u', /nothing separates remote_host from user/],
    ['$remote_addr$request', /nothing separates remote_host from request/],
    ['%h %h', /remote_host occurs twice/],
    ['%b %B', /bytes occurs twice/],
  ])('%j is refused, and why', (format, message) => {
    expect(() => compileLogFormat(format)).toThrow(message);
  });
});

describe('a line that does not follow its format', () => {
  it.each([
    ['', 1, 'expected " " behind remote_host, which begins here: the line ends first'],
    ['nonsense', 1, 'expected " " behind remote_host, which begins here: the line ends first'],
    ['h - - no time', 5, 'expected " [" behind user, which begins here: the line ends first'],
    ['h - - [t] GET', 8, 'expected "] \\"" behind time, which begins here: the line ends first'],
    ['h - - [t] "GET', 12, 'expected its closing quote behind request, which begins here'],
    ['h - - [t] "GET \\"', 12, 'expected its closing quote behind request, which begins here'],
    ['h - - [t] "G"200', 13, 'expected "\\" " behind request: found "\\"200"'],
    ['h - - [t] "G"', 13, 'expected "\\" " behind request: found "\\""'],
  ])('%j is refused at its character and with what was expected', (line, column, reason) => {
    const found = read('%h %l %u %t "%r" %s', line, []);
    expect(found).toEqual([column, expect.stringContaining(reason)]);
  });

  it('is refused for what follows its last quote', () => {
    const line = `${LINE} 17`;
    expect(read(COMBINED_LOG, line, [])).toEqual([
      LINE.length + 1,
      'expected the end of the line behind user_agent: found " 17"',
    ]);
  });

  it.each([
    ['quotes', '"'.repeat(900_000)],
    ['backslashes', '\\'.repeat(900_000)],
    ['spaces', ' '.repeat(900_000)],
    ['brackets', ' ['.repeat(450_000)],
    ['a request of blanks', `h - - [t] "${' '.repeat(900_000)}" 200 1 "-" "-"`],
    ['a query of parameters', `h - - [t] "G /?${'&a=%41'.repeat(150_000)} H" 200 1 "-" "-"`],
    ['an agent of escapes', `h - - [t] "G / H" 200 1 "-" "${'\\x41'.repeat(225_000)}"`],
  ])('or follows it takes time in proportion to its length: %s', (_, line) => {
    const columns = ['path', 'query', 'query.zz', 'protocol', 'user_agent', 'user'];
    const startMs = performance.now();
    read(COMBINED_LOG, line, columns);
    // Some ten ms; what goes back at each character would take minutes.
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

describe('escapes', () => {
  /** As ap_escape_logitem of Apache 2.4 does. */
  const escaped = (text: string): string =>
    [...Buffer.from(text)]
      .map((byte) => {
        const char = String.fromCharCode(byte);
        if (char === '"' || char === '\\') return `\\${char}`;
        const letter = ({ 8: 'b', 9: 't', 10: 'n', 11: 'v', 13: 'r' } as Record<number, string>)[
          byte
        ];
        if (letter !== undefined) return `\\${letter}`;
        return byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, '0')}` : char;
      })
      .join('');

  it('of any text are undone', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\\"xu0a-f\n-]*$/));
    const property = fc.property(text, (value) => {
      expect(unescaped(escaped(value))).toBe(value);
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it.each([
    ['\\xff\\"', '\\xff\\"'],
    ['\\u0007\\u00e9\\/', '\u0007\\u00e9/'],
    ['\\q\\', '\\q\\'],
    ['\\x4', '\\x4'],
    ['a\\x2', 'a\\x2'],
  ])('%j is %j: what is no escape, or no UTF-8, stays', (text, expected) => {
    expect(unescaped(text)).toBe(expected);
  });

  it.each([
    ['/%7Eann/%C3%A9', '/~ann/é'],
    ['100%', '100%'],
    ['%4', '%4'],
    ['%zz%41', '%zzA'],
    ['%ff%41', '%ff%41'],
    ['%2541', '%41'],
    ['%EF%BB%BFa', '\ufeffa'],
  ])('percent encoding: %j is %j', (text, expected) => {
    expect(percentDecoded(text)).toBe(expected);
  });
});
