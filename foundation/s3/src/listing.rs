//! Listing a bucket page by page, within bounds.

use ferror::Error;

/// The most objects that S3 puts on a page.
const MAX_PAGE_OBJECTS: usize = 1000;

/// Collects the items of pages until there are `most` or no more; `page` gets the parameters of one, and returns
/// its items and where the next page begins. Returns also whether there are more.
pub(crate) fn collect<T>(
    prefix: &str,
    delimiter: Option<&str>,
    most: usize,
    mut page: impl FnMut(Vec<(String, String)>) -> ferror::Result<(Vec<T>, Option<String>)>,
) -> ferror::Result<(Vec<T>, bool)> {
    let (mut items, mut token) = (Vec::new(), None::<String>);
    // A page may be empty and not the last, so pages are bounded apart from items.
    for _ in 0..=most {
        let wanted = most.saturating_sub(items.len()).clamp(1, MAX_PAGE_OBJECTS);
        let (more, next) = page(parameters(prefix, delimiter, wanted, token.as_deref()))?;
        items.extend(more);
        let are_more = next.is_some() || items.len() > most;
        items.truncate(most);
        match next {
            Some(next) if items.len() < most && token.as_ref() != Some(&next) => token = Some(next),
            Some(_) if items.len() < most => {
                return Err(Error::invalid("the server sends the same page again and again"));
            }
            _ => return Ok((items, are_more)),
        }
    }
    Err(Error::invalid("the server sends page after page without objects"))
}

/// Returns the query parameters of one page. `encoding-type=url` is not among them, since some
/// servers repeat it in their answer and encode nothing.
fn parameters(
    prefix: &str,
    delimiter: Option<&str>,
    max_keys: usize,
    token: Option<&str>,
) -> Vec<(String, String)> {
    let mut parameters = vec![
        ("list-type".to_owned(), "2".to_owned()),
        ("max-keys".to_owned(), max_keys.to_string()),
        ("prefix".to_owned(), prefix.to_owned()),
    ];
    if let Some(delimiter) = delimiter {
        parameters.push(("delimiter".to_owned(), delimiter.to_owned()));
    }
    if let Some(token) = token {
        parameters.push(("continuation-token".to_owned(), token.to_owned()));
    }
    parameters
}
