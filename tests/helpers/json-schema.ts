/** JSON Schema (draft 2020-12) of a TypeScript type, for formats whose types are the source of truth. */
import type { Type } from 'ts-morph';
import { Node, Project } from 'ts-morph';

type Schema = Record<string, unknown>;

export function schemaOf(file: string, name: string, title: string): Schema {
  const project = new Project({ tsConfigFilePath: 'tsconfig.json' });
  const source = project.getSourceFileOrThrow(file);
  const definitions = new Map<string, Schema>();
  const root = convert(source.getInterfaceOrThrow(name).getType(), true);
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...root, $defs: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))) };

  function convert(type: Type, inline = false): Schema {
    if (type.isLiteral() && !type.isBoolean()) return { const: type.isBooleanLiteral() ? type.getText() === 'true' : type.getLiteralValue() };
    if (type.isString()) return { type: 'string' };
    if (type.isNumber()) return { type: 'number' };
    if (type.isBoolean()) return { type: 'boolean' };
    if (type.isTuple()) return { type: 'array', prefixItems: type.getTupleElements().map((t) => convert(t)), minItems: type.getTupleElements().length, maxItems: type.getTupleElements().length };
    const element = type.getArrayElementType();
    if (element) return { type: 'array', items: convert(element) };
    const alias = type.getAliasSymbol()?.getName();
    if (type.isUnion() && alias !== undefined && !inline && type.getUnionTypes().some((t) => t.getArrayElementType()?.getAliasSymbol()?.getName() === alias)) {
      // A type that lists itself.
      if (!definitions.has(alias)) {
        definitions.set(alias, {});
        definitions.set(alias, convert(type, true));
      }
      return { $ref: `#/$defs/${alias}` };
    }
    if (type.isUnion()) {
      const parts = type.getUnionTypes().filter((t) => !t.isUndefined());
      if (parts.every((t) => t.isLiteral() && !t.isBooleanLiteral())) return { enum: parts.map((t) => t.getLiteralValue()).sort() };
      return parts.length === 1 ? convert(parts[0]) : { anyOf: parts.map((t) => convert(t)) };
    }
    const symbol = type.getAliasSymbol() ?? type.getSymbol();
    const named = symbol !== undefined && !symbol.getName().startsWith('__') && type.isInterface();
    if (named && !inline) {
      const key = symbol.getName();
      if (!definitions.has(key)) {
        definitions.set(key, {});
        definitions.set(key, convert(type, true));
      }
      return { $ref: `#/$defs/${key}` };
    }
    const values = type.getStringIndexType();
    if (values) return { type: 'object', additionalProperties: convert(values) };
    if (type.isNull()) return { type: 'null' };
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    for (const property of type.getProperties()) {
      const [declaration] = property.getDeclarations();
      const doc = declaration && Node.isJSDocable(declaration) ? declaration.getJsDocs().map((d) => d.getDescription().trim().replace(/\s+/g, ' ')).join(' ') : '';
      properties[property.getName()] = { ...convert(property.getTypeAtLocation(declaration ?? source).getNonNullableType()), ...(doc && { description: doc }) };
      if (!property.isOptional()) required.push(property.getName());
    }
    return { type: 'object', properties, required };
  }
}

/** What of a value does not fit the schema: paths and facts. Covers what `schemaOf` makes. */
export function misfits(value: unknown, schema: Schema, root: Schema = schema, path = '$'): string[] {
  if (typeof schema.$ref === 'string') return misfits(value, (root.$defs as Record<string, Schema>)[schema.$ref.slice('#/$defs/'.length)], root, path);
  if ('const' in schema) return value === schema.const ? [] : [`${path} is not ${JSON.stringify(schema.const)}`];
  if (Array.isArray(schema.enum)) return schema.enum.includes(value) ? [] : [`${path} is ${JSON.stringify(value)}`];
  if (Array.isArray(schema.anyOf)) return schema.anyOf.some((s) => misfits(value, s as Schema, root, path).length === 0) ? [] : [`${path} fits none`];
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path} is no array`];
    const items = schema.prefixItems as Schema[] | undefined;
    if (items && items.length !== value.length) return [`${path} has ${value.length} items`];
    return value.flatMap((v, i) => misfits(v, items?.[i] ?? (schema.items as Schema), root, `${path}[${i}]`));
  }
  if (schema.type === 'null') return value === null ? [] : [`${path} is not null`];
  if (schema.type !== 'object') return typeof value === schema.type ? [] : [`${path} is ${JSON.stringify(value)}, no ${String(schema.type)}`];
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  const others = schema.additionalProperties as Schema | undefined;
  if (others) return Object.entries(value).flatMap(([name, v]) => misfits(v, others, root, `${path}.${name}`));
  const properties = schema.properties as Record<string, Schema>;
  return [
    ...(schema.required as string[]).filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, v]) => (properties[name] ? misfits(v, properties[name], root, `${path}.${name}`) : [`${path}.${name} is not in the schema`])),
  ];
}
