/** A fault of one line, as a careless hand would make it. */
export interface Mutant {
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
}

const COMPILE = 'core/rules/compile.ts';
const STREAM_RULES = 'stream/compiled-rules.ts';
const MEMO = 'stream/memoised-output.ts';
const TEXTS = 'stream/field-texts.ts';
const SHORT = 'stream/short-texts.ts';
const HELD = 'stream/held-clicks.ts';
const COUNTER = 'stream/counter.ts';
const BUFFER = 'stream/flush-buffer.ts';
const CAPS = 'stream/cap-counts.ts';

/** Of the way from a rule set to what the stream runs. */
export const STREAM_MUTANTS: readonly Mutant[] = [
  {
    file: 'core/click/timestamp.ts',
    from: 'if (offsetHour > 23 || offsetMinute > 59) return null;',
    to: "if (offsetHour > 23 || offsetMinute > 59 || match[9] === '00') return null;",
  },
  {
    file: HELD,
    from: 'Math.imul(1 + this.minutes[i]! + c * MINUTES_PER_HOUR, 0x9e3779b1)',
    to: 'Math.imul(1 + this.minutes[i]! + c, 0x9e3779b1)',
  },
  { file: COMPILE, from: 'if (fields.size === 1) {', to: 'if (fields.size >= 1) {' },
  {
    file: COMPILE,
    from: 'const at = columns.indexOf(column);',
    to: 'const at = columns.length - 1;',
  },
  {
    file: COMPILE,
    from: 'if (!columns.includes(column)) columns.push(column);',
    to: 'if (columns.length === 0) columns.push(column);',
  },
  { file: COMPILE, from: 'verdict: verdict && output(verdict),', to: 'verdict: null,' },
  { file: COMPILE, from: 'caps: capsOf(ruleSet),', to: 'caps: capsOf(ruleSet).slice(0, 1),' },
  {
    file: COMPILE,
    from: "if ('field' in node) return text;",
    to: "if ('field' in node) return '';",
  },
  {
    file: TEXTS,
    from: 'if (start < 0) return start === FIELD_ABSENT ? 0 : 1;',
    to: 'if (start < 0) return 0;',
  },
  {
    file: TEXTS,
    from: 'if (id < 2) return id === 0 ? ABSENT : OTHER;',
    to: 'if (id < 2) return ABSENT;',
  },
  {
    file: TEXTS,
    from: 'return this.values.toString(id - 2);',
    to: 'return this.values.toString(Math.max(id - 3, 0));',
  },
  {
    file: TEXTS,
    from: 'return 2 + values.intern(view.source, view.adStart, view.adEnd);',
    to: 'return 2 + values.intern(view.source, view.idStart, view.idEnd);',
  },
  {
    file: STREAM_RULES,
    from: 'for (let i = n; i < width; i++) out[at + i] = -1;',
    to: 'for (let i = n; i < width; i++) out[at + i] = 0;',
  },
  {
    file: STREAM_RULES,
    from: 'return verdict === null ? 0 : verdict.of(view, ids);',
    to: 'return 0;',
  },
  { file: STREAM_RULES, from: 'this.verdict?.clear();', to: 'this.texts[0]?.clear();' },
  {
    file: MEMO,
    from: 'if (output.columns.length !== 1)',
    to: 'if (output.columns.length < 1)',
  },
  {
    file: MEMO,
    from: 'const key = combination * IDS_MAX + column.idOf(ids[column.field]!);',
    to: 'const key = combination + column.idOf(ids[column.field]!);',
  },
  {
    file: MEMO,
    from: 'const key = combination * IDS_MAX + column.idOf(ids[column.field]!);',
    to: 'const key = column.idOf(ids[column.field]!);',
  },
  {
    file: STREAM_RULES,
    from: 'readers[field]! += several ? 2 : 1;',
    to: 'readers[field]! += 1;',
  },
  {
    file: STREAM_RULES,
    from: '.filter((field) => shared[field]!);',
    to: '.filter((field) => field > 0 && shared[field]!);',
  },
  { file: MEMO, from: 'next = ++this.combinations;', to: 'next = this.combinations || 1;' },
  { file: MEMO, from: 'this.ids[fieldId] = id;', to: 'this.ids[0] = id;' },
  { file: MEMO, from: 'for (const pairs of this.pairs) pairs.clear();', to: '' },
  { file: SHORT, from: 'slots[at] === first &&', to: 'true &&' },
  { file: SHORT, from: 'slots[at + 1] === second &&', to: 'true &&' },
  { file: SHORT, from: 'slots[at + 2] === third &&', to: 'true &&' },
  {
    file: SHORT,
    from: 'const bytes = Math.min(Math.max(length - from, 0), 4);',
    to: 'const bytes = Math.min(Math.max(length - from, 0), 3);',
  },
  { file: HELD, from: 'if (n > max && reason === 0)', to: 'if (n >= max && reason === 0)' },
  { file: HELD, from: 'if (n > max && reason === 0)', to: 'if (n > max)' },
  {
    file: HELD,
    from: 'words[at + 1]! ^= Math.imul(1 + this.minutes[i]! + c * MINUTES_PER_HOUR, 0x9e3779b1);',
    to: 'words[at + 1]! ^= Math.imul(1 + c * MINUTES_PER_HOUR, 0x9e3779b1);',
  },
  {
    file: HELD,
    from: 'words[at + 1]! ^= Math.imul(1 + this.minutes[i]! + c * MINUTES_PER_HOUR, 0x9e3779b1);',
    to: 'words[at + 1]! ^= Math.imul(1 + this.minutes[i]!, 0x9e3779b1);',
  },
  {
    file: HELD,
    from: 'const seed = ads.wordsAt(this.ads[i]!);',
    to: 'const seed = ads.wordsAt(0);',
  },
  {
    file: HELD,
    from: 'if (capped === null || reason !== 0) return reason;',
    to: 'if (capped === null) return reason;',
  },
  {
    file: HELD,
    from: 'if (capped === null || reason !== 0) return reason;',
    to: 'if (capped !== null || reason !== 0) return reason;',
  },
  {
    file: COUNTER,
    from: 'const reason = fresh ? held.reasonOf(i) : 0;',
    to: 'const reason = held.reasonOf(i);',
  },
  {
    file: COUNTER,
    from: 'group.filteredBy(reason)[minute]!++;',
    to: 'group.filteredBy(1)[minute]!++;',
  },
  { file: COUNTER, from: '} else if (reason !== 0) {', to: '} else if (reason > 1) {' },
  {
    file: CAPS,
    from: 'const count = slots[at + 4]! + 1;',
    to: 'const count = slots[at + 4]! || 1;',
  },
  {
    file: CAPS,
    from: 'if (slots[at + 4] === 0) continue;',
    to: 'if (slots[at + 4] !== 1) continue;',
  },
  {
    file: BUFFER,
    from: 'filteredBy: new Map([...filtered].map(([reason, counts]) => [reasons[reason]!, counts])),',
    to: 'filteredBy: new Map([...filtered].map(([reason, counts]) => [reasons[reason - 1]!, counts])),',
  },
];

const PLAN = 'batch/plan-rules.ts';
const OUTPUTS = 'batch/duckdb/outputs.ts';
const CLICKS = 'batch/duckdb/clicks.ts';
const SQL_CAPS = 'batch/duckdb/caps.ts';
const COUNT = 'batch/duckdb/count-hour.ts';
const REST = 'batch/duckdb/rest.ts';

/** Of the way from a rule set to SQL. */
export const BATCH_MUTANTS: readonly Mutant[] = [
  {
    file: PLAN,
    from: 'const own = columns.filter((column) => column.field === field);',
    to: 'const own = columns.filter((column) => column.field === field).slice(0, 1);',
  },
  {
    file: PLAN,
    from: 'const before = all.slice(0, column).filter((other) => other.field === field);',
    to: 'const before = all.slice(0, column);',
  },
  {
    file: PLAN,
    from: 'return { mark: own.indexOf(fields.indexOf(field)), at: before.length };',
    to: 'return { mark: 0, at: before.length };',
  },
  {
    file: PLAN,
    from: 'verdict: compiled.verdict && output(compiled.verdict),',
    to: 'verdict: null,',
  },
  {
    file: PLAN,
    from: 'return { field, column: known.includes(field) ? field : null };',
    to: 'return { field, column: known.includes(field) ? field : known[1]! };',
  },
  {
    file: OUTPUTS,
    from: 'select filter, (row_number() over (order by filter) - 1)::integer as rank from (${all})',
    to: 'select filter, row_number() over (order by filter)::integer as rank from (${all})',
  },
  {
    file: OUTPUTS,
    from: 'const found = Array.from({ length: dimensions }, (_, i) => `select text from out${String(i)}`);',
    to: 'const found = Array.from({ length: 1 }, (_, i) => `select text from out${String(i)}`);',
  },
  { file: OUTPUTS, from: 'const isFilter = i < dimensions.length;', to: 'const isFilter = true;' },
  {
    file: OUTPUTS,
    from: '.filter((table) => table.fields.length > 1)',
    to: '.filter((table) => table.fields.length > 2)',
  },
  {
    file: OUTPUTS,
    from: '([raw]) => [markOf(textOfField(fieldValue(raw)))],',
    to: '([raw]) => [markOf(textOfField(fieldValue(raw.trim())))],',
  },
  {
    file: OUTPUTS,
    from: "return plain ? `coalesce(${value}, '')` : value;",
    to: "return plain ? `coalesce(${value}, 'unknown')` : value;",
  },
  {
    file: CLICKS,
    from: 'return `event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + HOUR_MS)}`;',
    to: 'return `event_ms >= ${String(hourMs)} and event_ms <= ${String(hourMs + HOUR_MS)}`;',
  },
  {
    file: CLICKS,
    from: 'where ${within} and log_offset < next_offset`',
    to: 'where ${within} and log_offset <= next_offset`',
  },
  {
    file: CLICKS,
    from: 'if (few && inRest === null) return',
    to: 'if (few) return',
  },
  {
    file: CLICKS,
    from: 'expression: either(inRest, `${texts}.mark`)!,',
    to: 'expression: either(`${texts}.mark`, inRest)!,',
  },
  {
    file: CLICKS,
    from: "const text = column === null ? \"''\" : `coalesce(${column}, '')`;",
    to: "const text = column === null ? \"''\" : `coalesce(lower(${column}), '')`;",
  },
  {
    file: SQL_CAPS,
    from: "const GROUP = 'topic, partition, ad_id, m, key';",
    to: "const GROUP = 'topic, partition, ad_id, key';",
  },
  {
    file: SQL_CAPS,
    from: "const GROUP = 'topic, partition, ad_id, m, key';",
    to: "const GROUP = 'topic, ad_id, m, key';",
  },
  {
    file: SQL_CAPS,
    from: "const GROUP = 'topic, partition, ad_id, m, key';",
    to: "const GROUP = 'topic, partition, m, key';",
  },
  { file: SQL_CAPS, from: 'return isText(text) ? [text] : null;', to: 'return [text];' },
  {
    file: SQL_CAPS,
    from: 'group by h having count(*) > ${String(max)}`,',
    to: 'group by h having count(*) > ${String(max + 1)}`,',
  },
  { file: SQL_CAPS, from: '> ${String(max)})\n', to: '>= ${String(max)})\n' },
  { file: SQL_CAPS, from: 'anti join repeats ${position})', to: ')' },
  { file: SQL_CAPS, from: 'anti join capped ${position}`,', to: '`,' },
  {
    file: SQL_CAPS,
    from: "${verdict === null ? '' : `where ${verdict} = ''`}",
    to: '',
  },
  {
    file: SQL_CAPS,
    from: 'order by log_offset)\n',
    to: 'order by log_offset desc)\n',
  },
  {
    file: COUNT,
    from: "const passed = verdict === null ? '' : `where ${verdict} = ''`;",
    to: "const passed = '';",
  },
  {
    file: COUNT,
    from: 'union all select ${names}, -1::bigint from capped)',
    to: ')',
  },
  {
    file: COUNT,
    from: 'union all select ${names}, -1::bigint from repeats',
    to: '',
  },
  {
    file: COUNT,
    from: 'order by first_ms, topic, partition, log_offset) > 1`,',
    to: 'order by first_ms desc, topic, partition, log_offset) > 1`,',
  },
  { file: COUNT, from: 'add(caps[cap]!.reason, m, n);', to: 'add(caps[0]!.reason, m, n);' },
  {
    file: REST,
    from: 'if (!Object.hasOwn(record, field)) return null;',
    to: "if (!Object.hasOwn(record, field)) return of('');",
  },
  {
    file: REST,
    from: "return column === null ? 'true' : `${column} is null`;",
    to: "return column === null ? 'false' : `${column} is null`;",
  },
];
