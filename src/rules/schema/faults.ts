import { z } from 'zod'
import { checkHas } from '../../arguments.js'
import { nearestWord } from '../../spelling.js'

/** What is wrong with a value that a schema has refused. */
export interface SchemaFault {
  readonly path: readonly PropertyKey[]
  /** A key at that path that is not known. */
  readonly key?: string
  /** A sentence that says the value and the way out, without the path. */
  readonly reason: string
}

/**
 * The faults that a schema found, in words. Of a value that may have several forms, what is wrong with the form that was
 * meant. Parse with `reportInput: true`, so that the words can name the value.
 */
export function schemaFaults(error: z.core.$ZodError, schema: z.core.$ZodType): SchemaFault[] {
  checkHas('the error', error, ['issues'], 'one of zod')
  return error.issues.map(meantIssue).flatMap((issue): SchemaFault[] => {
    const { path } = issue
    const known = knownKeys(schema, path)
    if (issue.code !== 'unrecognized_keys') {
      const isNoMapping = issue.code === 'invalid_type' && issue.expected === 'object' && known.length > 0
      const keys = isNoMapping ? ` with some of ${[...new Set(known)].join(', ')}` : ''
      return [{ path, reason: plainReason(issue) + keys }]
    }
    return issue.keys.map((key) => {
      const nearest = nearestWord(key, known)
      // Of several forms nobody knows which was meant.
      const isOneForm = new Set(known).size === known.length
      const all = isOneForm ? ` (there are ${known.join(', ')})` : ''
      const hint = nearest === undefined ? all : ` (did you mean "${nearest}"?)`
      return { path, key, reason: `unknown key ${JSON.stringify(key)}${hint}` }
    })
  })
}

export function firstFault(error: z.core.$ZodError, schema: z.core.$ZodType): SchemaFault {
  return schemaFaults(error, schema)[0]!
}

/** The keys that the schema has at a path, for suggestions. */
function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let schemas = [schema]
  for (const step of path) {
    schemas = schemas.flatMap(alternatives).flatMap((each) => {
      if (each instanceof z.ZodObject) return (each.shape as Record<PropertyKey, z.core.$ZodType>)[step] ?? []
      return each instanceof z.ZodArray ? each.element : []
    })
  }
  return schemas
    .flatMap(alternatives)
    .flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.shape) : []))
}

function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return alternatives(schema.unwrap())
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternatives)
  if (schema instanceof z.ZodPipe) return alternatives(schema.in)
  return [schema]
}

function meantIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  for (const [first] of issue.errors) {
    if (first === undefined) continue
    // The value is of another form, or it is not known of which.
    const isOther = first.path.length === 0 && OTHER_FORM.has(first.code)
    if (isOther || first.path.at(-1) === 'type') continue
    const inner = meantIssue({ ...first, path: [...issue.path, ...first.path] } as z.core.$ZodIssue)
    if (inner.code !== 'invalid_union' || inner.path.length > issue.path.length) return inner
  }
  return issue
}

const OTHER_FORM = new Set<string | undefined>(['invalid_type', 'invalid_value', 'unrecognized_keys'])
const SHOWN_CHARACTERS = 60
/** The words of YAML for those of JavaScript. */
const WORDS: Readonly<Record<string, string>> = { array: 'list', object: 'mapping', int: 'whole number' }

function plainReason(issue: z.core.$ZodIssue): string {
  const { input } = issue
  const isPlain = typeof input === 'string' || typeof input === 'number' || typeof input === 'boolean'
  // JSON knows no NaN and no infinity.
  const text = typeof input === 'number' ? String(input) : JSON.stringify(input)
  const value = isPlain ? text.slice(0, SHOWN_CHARACTERS) : ''
  const before = value === '' ? '' : `${value}: `
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = WORDS[issue.expected] ?? issue.expected
      const way = issue.expected === 'boolean' ? 'true or false' : `a ${wanted}`
      return `${input === undefined ? 'missing' : `${value || 'this'} is no ${wanted}`}; give ${way}`
    }
    case 'invalid_value':
      return `${before}give one of ${issue.values.map((each) => String(each)).join(', ')}`
    case 'too_small':
      return `${before}give ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${countedIn(issue)}`
    case 'too_big':
      return `${before}give ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${countedIn(issue)}`
    case 'invalid_union': {
      const reason = issue.message
        .replace(/^Invalid input$/, 'not of a form that is known; see docs/rules.md')
        .replace(/^Invalid discriminator value\. Expected (.*)$/, (_, types: string) => {
          return `give one of ${types.replaceAll("'", '').replaceAll(' | ', ', ')}`
        })
      return input === undefined ? 'missing; docs/rules.md has the forms' : before + reason
    }
    case 'custom':
      return issue.message // which names the value
    default:
      return before + issue.message
  }
}

const countedIn = ({ origin }: { origin: string }): string =>
  ({ string: ' characters', array: ' of them' })[origin] ?? ''
