export {
  BUILTIN_RULES,
  type BuiltinOptions,
  type BuiltinRule,
  type BuiltinSettings,
  builtinRules,
} from '../rules/builtin/builtin.js'
