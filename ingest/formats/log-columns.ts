import { TruecountError } from '../../core/errors.js';
import { headerColumn } from '../mapping/log-fields.js';
import type { LogFormat } from '../mapping/log-format.js';
import { percentDecoded } from '../mapping/percent.js';

/** How a column is made of a line's fields: from which one, and by what. */
export interface LogColumn {
  /** Index of the field. */
  readonly field: number;
  readonly of: (value: string) => string;
}

/**
 * How the columns that a mapping names are made of a log's fields: a field itself, or a part of the
 * request line: `method`, `path`, `query`, `protocol`, and `query.NAME` for one parameter.
 * @throws TruecountError `invalid_mapping` for a column that the format does not give.
 */
export function logColumns(format: LogFormat, names: readonly string[]): LogColumn[] {
  return names.map((name) => {
    const column = columnOf(format, wordFor(name));
    if (column !== undefined) return column;
    const there = [...format.fields.map((field) => field.name), ...derivedFrom(format)];
    throw new TruecountError(
      'invalid_mapping',
      `there is no column "${name}" in this log format; the columns are: ${there.join(', ')}`,
      { hint: 'docs/reference/mappings.md says what the fields of a log are called' },
    );
  });
}

function wordFor(name: string): string {
  return name.startsWith('header.') ? headerColumn(name.slice('header.'.length)) : name;
}

function columnOf(format: LogFormat, name: string): LogColumn | undefined {
  const field = format.fields.findIndex((one) => one.name === name);
  if (field >= 0) return { field, of: name === 'query' ? withoutMark : (value) => value };
  if (name.startsWith('query.')) {
    const query = columnOf(format, 'query');
    const parameter = name.slice('query.'.length);
    return query && { field: query.field, of: (value) => parameterOf(query.of(value), parameter) };
  }
  const part = REQUEST_PARTS[name];
  const request = format.fields.findIndex((one) => one.name === 'request');
  if (part !== undefined && request >= 0) return { field: request, of: part };
  const target = format.fields.findIndex((one) => one.name === 'target');
  if (target >= 0 && name === 'path') return { field: target, of: pathOf };
  if (target >= 0 && name === 'query') return { field: target, of: queryOf };
  return undefined;
}

function derivedFrom(format: LogFormat): string[] {
  const names = ['method', 'target', 'path', 'query', 'protocol'];
  const there = new Set(format.fields.map(({ name }) => name));
  const made = names.filter((name) => !there.has(name) && columnOf(format, name) !== undefined);
  return columnOf(format, 'query') === undefined ? made : [...made, 'query.NAME'];
}

const REQUEST_PARTS: Readonly<Record<string, (request: string) => string>> = {
  method: (request) => before(request, ' '),
  target: targetOf,
  path: (request) => pathOf(targetOf(request)),
  query: (request) => queryOf(targetOf(request)),
  protocol: (request) => request.slice(protocolStart(request)),
};

/** Between the method and the protocol; whatever it holds, and also where there is no protocol. */
function targetOf(request: string): string {
  const start = request.indexOf(' ');
  if (start < 0) return '';
  const protocol = protocolStart(request);
  return request.slice(start + 1, protocol === request.length ? protocol : protocol - 1);
}

/** Where `HTTP/1.1` begins at the end of a request line; its length if there is none. */
function protocolStart(request: string): number {
  const space = request.lastIndexOf(' ');
  const isThere = space > request.indexOf(' ') && request.startsWith('HTTP/', space + 1);
  return isThere ? space + 1 : request.length;
}

/** The path of a target; of `http://host/path`, as a proxy is asked, too. */
function pathOf(target: string): string {
  const path = before(target, '?');
  const host = /^https?:\/\//i.exec(path);
  if (host === null) return path;
  const slash = path.indexOf('/', host[0].length);
  return slash < 0 ? '/' : path.slice(slash);
}

function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? '' : target.slice(mark + 1);
}

/** Apache's `%q` writes the question mark, nginx's `$args` does not. */
function withoutMark(query: string): string {
  return query.startsWith('?') ? query.slice(1) : query;
}

/** The first value of a parameter, as a form encodes it: percent encoding, `+` for a space. */
function parameterOf(query: string, name: string): string {
  for (const pair of query.split('&')) {
    const key = before(pair, '=');
    if (key === name || decoded(key) === name) return decoded(pair.slice(key.length + 1));
  }
  return '';
}

function decoded(text: string): string {
  return percentDecoded(text.replaceAll('+', ' '));
}

function before(text: string, mark: string): string {
  const at = text.indexOf(mark);
  return at < 0 ? text : text.slice(0, at);
}
