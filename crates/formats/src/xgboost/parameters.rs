//! Parameters: texts under known names, and the objectives that have them.

use super::json;
use super::tokens::{Object, Tokens};
use super::{MOST_THREADS, Refused};

/// What a parameter's text may be.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A whole number.
    Whole,
    /// A number of threads; below 1 for all.
    Threads,
    /// Any number.
    Number,
    /// A list of numbers in JSON. XGBoost's parser calls itself for each bracket.
    List,
    /// Numbers in brackets, or in brackets in brackets.
    Numbers,
    /// One of XGBoost's own words: letters, digits, `_`, `:` and `,`. Some are matched by a regular expression that calls itself
    /// for each letter.
    Word,
}

/// The parameters of XGBoost 1.6 to 3.2 that stand in a model or a snapshot, sorted.
const PARAMETERS: &[(&str, Form)] = &[
    ("aft_loss_distribution", Form::Word),
    ("aft_loss_distribution_scale", Form::Number),
    ("alpha", Form::Number),
    ("boost_from_average", Form::Whole),
    ("booster", Form::Word),
    ("cache_opt", Form::Whole),
    ("colsample_bylevel", Form::Number),
    ("colsample_bynode", Form::Number),
    ("colsample_bytree", Form::Number),
    ("debug_synchronize", Form::Whole),
    ("default_direction", Form::Word),
    ("device", Form::Word),
    ("disable_default_eval_metric", Form::Whole),
    ("dsplit", Form::Word),
    ("enable_feature_grouping", Form::Whole),
    ("eta", Form::Number),
    ("extmem_single_page", Form::Whole),
    ("fail_on_invalid_gpu_id", Form::Whole),
    ("feature_selector", Form::Word),
    ("fix_list_weight", Form::Number),
    ("gamma", Form::Number),
    ("gpu_batch_nrows", Form::Whole),
    ("gpu_id", Form::Whole),
    ("gpu_page_size", Form::Whole),
    ("grow_policy", Form::Word),
    ("huber_slope", Form::Number),
    ("interaction_constraints", Form::Numbers),
    ("lambda", Form::Number),
    ("lambdarank_bias_norm", Form::Number),
    ("lambdarank_normalization", Form::Whole),
    ("lambdarank_num_pair_per_sample", Form::Whole),
    ("lambdarank_pair_method", Form::Word),
    ("lambdarank_score_normalization", Form::Whole),
    ("lambdarank_unbiased", Form::Whole),
    ("learning_rate", Form::Number),
    ("max_bin", Form::Whole),
    ("max_cached_hist_node", Form::Whole),
    ("max_cat_threshold", Form::Whole),
    ("max_cat_to_onehot", Form::Whole),
    ("max_delta_step", Form::Number),
    ("max_depth", Form::Whole),
    ("max_leaves", Form::Whole),
    ("max_num_bin_per_feat", Form::Whole),
    ("max_row_perbatch", Form::Whole),
    ("max_search_group", Form::Whole),
    ("min_child_weight", Form::Number),
    ("min_split_loss", Form::Number),
    ("monotone_constraints", Form::Numbers),
    ("multi_strategy", Form::Word),
    ("n_gpus", Form::Whole),
    ("n_jobs", Form::Threads),
    ("ndcg_exp_gain", Form::Whole),
    ("normalize_type", Form::Word),
    ("nthread", Form::Threads),
    ("num_class", Form::Whole),
    ("num_pairsample", Form::Whole),
    ("objective", Form::Word),
    ("one_drop", Form::Whole),
    ("opt_dense_col", Form::Number),
    ("predictor", Form::Word),
    ("process_type", Form::Word),
    ("quantile_alpha", Form::List),
    ("random_state", Form::Whole),
    ("rate_drop", Form::Number),
    ("refresh_leaf", Form::Whole),
    ("reg_alpha", Form::Number),
    ("reg_lambda", Form::Number),
    ("sample_type", Form::Word),
    ("sampling_method", Form::Word),
    ("scale_pos_weight", Form::Number),
    ("seed", Form::Whole),
    ("seed_per_iteration", Form::Whole),
    ("single_precision_histogram", Form::Whole),
    ("size_leaf_vector", Form::Whole),
    ("sketch_eps", Form::Number),
    ("sketch_ratio", Form::Number),
    ("skip_drop", Form::Number),
    ("sparse_threshold", Form::Number),
    ("subsample", Form::Number),
    ("tolerance", Form::Number),
    ("top_k", Form::Whole),
    ("tree_method", Form::Word),
    ("tweedie_variance_power", Form::Number),
    ("updater", Form::Word),
    ("updater_seq", Form::Word),
    ("validate_parameters", Form::Whole),
];

/// XGBoost's objectives and the object of parameters that each has, sorted. 1.6 wrote one name in another way.
const OBJECTIVES: &[(&str, &[&str])] = &[
    ("binary:hinge", &[]),
    ("binary:logistic", &["reg_loss_param"]),
    ("binary:logitraw", &["reg_loss_param"]),
    ("count:poisson", &["poisson_regression_param"]),
    ("multi:softmax", &["softmax_multiclass_param"]),
    ("multi:softprob", &["softmax_multiclass_param"]),
    ("rank:map", &["lambda_rank_param", "lambdarank_param"]),
    ("rank:ndcg", &["lambda_rank_param", "lambdarank_param"]),
    ("rank:pairwise", &["lambda_rank_param", "lambdarank_param"]),
    ("reg:absoluteerror", &[]),
    ("reg:gamma", &["reg_loss_param"]),
    ("reg:linear", &["reg_loss_param"]),
    ("reg:logistic", &["reg_loss_param"]),
    (
        "reg:pseudohubererror",
        &["pseduo_huber_param", "pseudo_huber_param"],
    ),
    ("reg:quantileerror", &["quantile_loss_param"]),
    ("reg:squarederror", &["reg_loss_param"]),
    ("reg:squaredlogerror", &["reg_loss_param"]),
    ("reg:tweedie", &["tweedie_regression_param"]),
    ("survival:aft", &["aft_loss_param"]),
    ("survival:cox", &[]),
];

/// The longest word that XGBoost writes, a sequence of all updaters, has about 100 letters.
const LONGEST_WORD: usize = 256;

const VALUE: &str = "a parameter is not written as XGBoost writes it";

/// A count, printed as a text.
pub(super) fn count<'a>(tokens: &mut impl Tokens<'a>) -> Result<u64, Refused> {
    let at = tokens.at();
    json::whole(tokens.text()?)
        .and_then(|value| u64::try_from(value).ok())
        .filter(|&value| u32::try_from(value).is_ok())
        .ok_or_else(|| Refused::unverified(at, "a count is not a whole number of 32 bits"))
}

/// The text of the parameter `name`.
pub(super) fn text<'a>(tokens: &mut impl Tokens<'a>, name: &str) -> Result<&'a str, Refused> {
    let at = tokens.at();
    let row = PARAMETERS
        .binary_search_by(|row| row.0.cmp(name))
        .ok()
        .and_then(|row| PARAMETERS.get(row));
    let Some(&(_, form)) = row else {
        return Err(Refused::unsupported(at, "parameter of XGBoost", name));
    };
    let text = tokens.text()?;
    let is_whole = json::whole(text).is_some() || text.parse().is_ok_and(|_: u64| text.len() < 21);
    let fits = match form {
        Form::Whole => is_whole,
        Form::Threads => {
            let threads = json::whole(text);
            if threads.is_some_and(|threads| threads > MOST_THREADS) {
                let what = "a parameter asks for more than 1024 threads";
                return Err(Refused::unverified(at, what));
            }
            threads.is_some()
        }
        Form::Number => is_whole || is_number(text),
        Form::List => text == "[]" || json::floats(text).is_some(),
        Form::Numbers => is_nested_once(text),
        Form::Word => {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_:,".contains(&byte);
            text.len() <= LONGEST_WORD && text.bytes().all(is_letter)
        }
    };
    if fits {
        Ok(text)
    } else {
        Err(Refused::unverified(at, VALUE))
    }
}

/// Digits, signs and commas, with at most two brackets open.
fn is_nested_once(text: &str) -> bool {
    let mut open = 0_u32;
    for byte in text.bytes() {
        match byte {
            b'[' | b'(' => open = open.saturating_add(1),
            b']' | b')' => open = open.saturating_sub(1),
            b'0'..=b'9' | b',' | b'-' | b' ' => {}
            _ => return false,
        }
        if open > 2 {
            return false;
        }
    }
    true
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    json::is_float(text) || matches!(unsigned, "inf" | "nan")
}

/// An object of parameters.
pub(super) fn parameters<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let mut object = Object::open(tokens)?;
    while let Some(name) = object.any(tokens)? {
        text(tokens, name)?;
    }
    Ok(())
}

/// `objective`: a name with its own parameters; the name.
pub(super) fn objective<'a>(
    tokens: &mut impl Tokens<'a>,
    num_class: u64,
) -> Result<&'a str, Refused> {
    let start = tokens.at();
    let mut own = None;
    let mut name = None;
    let mut classes = None;
    let mut object = Object::open(tokens)?;
    while let Some(key) = object.any(tokens)? {
        match key {
            "name" => name = Some(tokens.text()?),
            // What an unbiased ranking has learned of each position.
            "ti+" | "tj-" => {
                tokens.floats(false)?;
            }
            _ if own.is_none() => {
                own = Some(key);
                let mut param = Object::open(tokens)?;
                while let Some(name) = param.any(tokens)? {
                    let value = text(tokens, name)?;
                    if name == "num_class" {
                        classes = json::whole(value);
                    }
                }
            }
            _ => return Err(Object::unknown(tokens)),
        }
    }
    let name = name.ok_or_else(|| Object::unknown(tokens))?;
    let Ok(row) = OBJECTIVES.binary_search_by(|row| row.0.cmp(name)) else {
        return Err(Refused::unsupported(start, "objective of XGBoost", name));
    };
    let known = OBJECTIVES.get(row).map_or(&[][..], |row| row.1);
    if own.is_some_and(|own| !known.contains(&own)) {
        let what = "an objective has the parameters of another one";
        return Err(Refused::unverified(start, what));
    }
    if name.starts_with("multi:") {
        let classes = classes.and_then(|classes| u64::try_from(classes).ok());
        if num_class == 0 || classes != Some(num_class) {
            let what = "num_class of the objective is not that of the booster, or 0";
            return Err(Refused::unverified(start, what));
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(PARAMETERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(OBJECTIVES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
