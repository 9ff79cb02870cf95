import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Check, Errors } from 'typebox/value';
import { parse as parseYaml } from 'yaml';
import { TruecountError } from '../core/errors.js';
import { utf8Text } from '../core/utf8.js';
import { SETTINGS, type Config, type Setting } from './config-schema.js';
import { nearest } from './nearest.js';
import { stackAddresses } from './stack/state.js';

export type { Config } from './config-schema.js';

/** Where a value came from. `stack` is the embedded stack that runs under the home folder. */
export interface Source {
  readonly kind: 'flag' | 'environment' | 'file' | 'stack' | 'default';
  /** The variable, file or flag, for people. */
  readonly name: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Source of each setting that has a value, by its key. */
  readonly sources: ReadonlyMap<string, Source>;
  /** The settings file that was read. */
  readonly file: string | undefined;
}

export interface ConfigInputs {
  /** Flags by the key of the setting, as text or already typed. They win over everything. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
  /** A settings file that must exist; by default `truecount.yaml` in `cwd`, if there is one. */
  readonly file?: string | undefined;
  readonly cwd?: string;
  /** Whether the addresses of a running embedded stack fill what nobody set (default true). */
  readonly useStack?: boolean;
}

type Values = Map<string, { value: unknown; source: Source }>;

/**
 * Resolves the settings: flags, then environment, then file, then the running embedded stack, then
 * defaults.
 * @throws TruecountError `invalid_config` naming the setting, its source and what is wrong.
 */
export function loadConfig(inputs: ConfigInputs = {}): LoadedConfig {
  const cwd = inputs.cwd ?? process.cwd();
  const file = settingsFile(inputs.file, cwd);
  const layers = [
    fromFlags(inputs.flags ?? {}),
    fromEnvironment(inputs.env ?? process.env),
    file === undefined ? new Map<string, never>() : fromFile(file),
  ];
  const home = resolve(cwd, pick(setting('home'), layers)?.value as string);
  if (inputs.useStack !== false) layers.push(fromStack(home));
  const values: Values = new Map();
  for (const item of SETTINGS) {
    const found = pick(item, layers);
    if (found !== undefined) values.set(item.key, found);
  }
  complete(values, home);
  const config = freeze(tree(values)) as unknown as Config;
  return { config, sources: new Map([...values].map(([k, v]) => [k, v.source])), file };
}

function setting(key: string): Setting {
  const found = SETTINGS.find((item) => item.key === key);
  if (found !== undefined) return found;
  const close = nearest(
    key,
    SETTINGS.map((item) => item.key),
  );
  throw new TruecountError('invalid_config', `there is no setting ${key}`, {
    hint: close === undefined ? 'truecount config lists all settings' : `did you mean ${close}?`,
  });
}

function pick(
  item: Setting,
  layers: readonly Values[],
): { value: unknown; source: Source } | undefined {
  for (const layer of layers) {
    const found = layer.get(item.key);
    if (found !== undefined)
      return { value: checked(item, found.value, found.source), source: found.source };
  }
  if (item.fallback === undefined) return undefined;
  return { value: item.fallback, source: { kind: 'default', name: 'default' } };
}

function checked(item: Setting, value: unknown, source: Source): unknown {
  const typed = typeof value === 'string' ? fromText(item, value) : value;
  if (Check(item.schema, typed)) return typed;
  const why = Errors(item.schema, typed).at(-1)?.message ?? 'is not valid';
  const shown = item.secret ? '(secret)' : JSON.stringify(value);
  throw new TruecountError('invalid_config', `${item.key} = ${shown} from ${source.name}: ${why}`, {
    hint: `${item.key}: ${item.description}`,
    context: { key: item.key, source: source.name },
  });
}

function fromText(item: Setting, value: string): unknown {
  if (item.kind === 'integer' && /^-?\d+$/.test(value)) return Number(value);
  if (item.kind === 'boolean' && /^(true|false|1|0)$/.test(value))
    return value === 'true' || value === '1';
  if (item.kind === 'list')
    return value
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  return value;
}

function fromFlags(flags: Readonly<Record<string, unknown>>): Values {
  const values: Values = new Map();
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    values.set(setting(key).key, { value, source: { kind: 'flag', name: `flag for ${key}` } });
  }
  return values;
}

function fromEnvironment(env: NodeJS.ProcessEnv): Values {
  const values: Values = new Map();
  for (const item of SETTINGS) {
    const value = env[item.env];
    const file = item.secret ? env[`${item.env}_FILE`] : undefined;
    if (value !== undefined && value !== '') {
      values.set(item.key, { value, source: { kind: 'environment', name: item.env } });
    } else if (file !== undefined && file !== '') {
      const source: Source = { kind: 'environment', name: `${item.env}_FILE` };
      values.set(item.key, { value: readText(file, source.name).trimEnd(), source });
    }
  }
  return values;
}

function fromStack(home: string): Values {
  const source: Source = { kind: 'stack', name: 'the embedded stack (truecount up)' };
  const values: Values = new Map();
  for (const [key, value] of Object.entries(stackAddresses(home)))
    values.set(key, { value, source });
  return values;
}

function settingsFile(given: string | undefined, cwd: string): string | undefined {
  if (given !== undefined) return resolve(cwd, given);
  const usual = resolve(cwd, 'truecount.yaml');
  return existsSync(usual) ? usual : undefined;
}

function readText(path: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TruecountError('invalid_config', `${what}: cannot read ${path}`, {
      hint: 'check the path and its permissions',
      cause,
    });
  }
  return utf8Text(bytes, (line) => {
    const where = `${path}, line ${String(line)}`;
    return new TruecountError('invalid_config', `${what}: ${where}: is not UTF-8`, {
      hint: 'save the file as UTF-8',
      context: { file: path, line },
    });
  });
}

function fromFile(file: string): Values {
  let document: unknown;
  const text = readText(file, 'settings file');
  try {
    document = parseYaml(text) ?? {};
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('invalid_config', `${file} is no YAML: ${why}`, { cause });
  }
  const values: Values = new Map();
  collect(document, '', { kind: 'file', name: file }, values);
  return values;
}

function collect(node: unknown, prefix: string, source: Source, values: Values): void {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) {
    throw new TruecountError(
      'invalid_config',
      `${source.name}: ${prefix === '' ? 'the document' : prefix.slice(0, -1)} is no mapping`,
      { hint: 'settings are keys with values; truecount config lists them' },
    );
  }
  for (const [name, value] of Object.entries(node)) {
    const key = prefix + name;
    const isGroup = SETTINGS.some((item) => item.key.startsWith(`${key}.`));
    if (value === null) continue;
    if (isGroup) collect(value, `${key}.`, source, values);
    else values.set(setting(key).key, { value, source });
  }
}

function complete(values: Values, home: string): void {
  const source = values.get('home')?.source ?? { kind: 'default', name: 'default' };
  values.set('home', { value: home, source });
  if (!values.has('lakeUrl')) {
    values.set('lakeUrl', {
      value: resolve(home, 'lake'),
      source: { kind: 'default', name: 'default' },
    });
  }
}

function tree(values: Values): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { key } of SETTINGS) {
    const names = key.split('.');
    let node = root;
    for (const name of names.slice(0, -1)) node = (node[name] ??= {}) as Record<string, unknown>;
    const found = values.get(key);
    if (found !== undefined) node[names.at(-1) ?? key] = found.value;
  }
  return root;
}

function freeze<T extends object>(node: T): T {
  for (const value of Object.values(node)) {
    if (typeof value === 'object' && value !== null) freeze(value as object);
  }
  return Object.freeze(node);
}
