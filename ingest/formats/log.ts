import { TruecountError } from '../../core/errors.js';
import { bindMapping } from '../mapping/bind.js';
import type { RowMapper } from '../mapping/bind.js';
import { COMBINED_LOG, COMMON_LOG, compileLogFormat } from '../mapping/log-format.js';
import { mappedColumns } from '../mapping/mapping.js';
import type { Mapping } from '../mapping/mapping-schema.js';
import { trimLine } from './lines.js';
import { logColumns } from './log-columns.js';
import type { LogColumn } from './log-columns.js';
import { LogLineScanner } from './log-line.js';
import { PositionIds } from './position-id.js';
import type { ReaderOptions, ReaderState, RecordReader } from './record-reader.js';
import { RECORD_BYTES_MAX, TOO_LONG, clickItem, rejection } from './source-item.js';
import type { SourceItem } from './source-item.js';
import { placeIn } from './text-place.js';

/**
 * Lines of a web server's log as clicks, through a mapping. Ids by position hash the bytes of the
 * lines, so they do not depend on the format or on what the mapping takes of it.
 */
export class LogReader implements RecordReader {
  private readonly scanner: LogLineScanner;
  private readonly columns: readonly LogColumn[];
  private readonly map: RowMapper;
  private readonly ids: PositionIds | undefined;
  private line: number;

  /** @throws TruecountError `invalid_mapping` if there is none, or it does not fit the format. */
  constructor({ format, mapping, source, state }: ReaderOptions) {
    if (mapping === undefined) throw noMapping(format);
    const names = mappedColumns(mapping);
    const compiled = compileLogFormat(formatText(format, mapping));
    this.scanner = new LogLineScanner(compiled);
    this.columns = logColumns(compiled, names);
    this.map = bindMapping(mapping, names);
    this.line = state?.line ?? 0;
    if ('position' in mapping.event_id) this.ids = new PositionIds(['log'], source, state);
  }

  read(raw: Buffer | null): SourceItem | null {
    this.line += 1;
    const bytes = raw === null ? null : trimLine(raw, this.line === 1);
    if (bytes?.length === 0) return null;
    if (bytes === null || bytes.length > RECORD_BYTES_MAX) {
      this.ids?.next([]);
      return rejection(this.line, undefined, TOO_LONG);
    }
    const position = this.ids?.next(bytes) ?? '';
    const text = bytes.toString();
    const reject = (unit: number, reason: string): SourceItem => {
      const { line, column } = placeIn(text, unit, this.line);
      return rejection(line, column, reason);
    };
    const mismatch = this.scanner.scan(text);
    if (mismatch !== undefined) return reject(mismatch.column, mismatch.reason);
    const row = this.columns.map(({ field, of }) => of(this.scanner.value(field)));
    const mapped = this.map(row, position);
    if (mapped.kind === 'click') return clickItem(this.line, mapped.json, mapped.adId);
    const { cell } = mapped;
    if (cell === undefined) return rejection(this.line, undefined, mapped.reason);
    return reject(this.scanner.starts[this.columns[cell]!.field]! + 1, mapped.reason);
  }

  state(): ReaderState {
    return { line: this.line, ...(this.ids?.state() ?? { row: 0, chain: '' }) };
  }

  isBetweenRecords(): boolean {
    return true;
  }

  end(): void {
    // Any end will do.
  }
}

function formatText(format: string, mapping: Mapping): string {
  if (format === 'common-log') return COMMON_LOG;
  if (format === 'combined-log') return COMBINED_LOG;
  if (mapping.log !== undefined) return mapping.log.format;
  throw new TruecountError('invalid_mapping', 'the mapping does not say what a log line is', {
    hint: `add log: {format: '%h %l %u %t "%r" %>s %b'}, as in the server's configuration`,
  });
}

function noMapping(format: string): TruecountError {
  return new TruecountError('invalid_mapping', `${format} needs a mapping: a log names no ad`, {
    hint: 'add --mapping FILE; examples/apache.mapping.yaml is one',
  });
}
