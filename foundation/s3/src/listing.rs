//! Listing a bucket page by page, within bounds.

use ferror::Error;

use crate::Listing;
use crate::xml::ListPage;

/// The most objects that S3 puts on a page.
const MAX_PAGE_OBJECTS: usize = 1000;

/// Collects pages until there are `max_objects` or no more; `page` gets the parameters of one.
pub(crate) fn collect(
    prefix: &str,
    max_objects: usize,
    mut page: impl FnMut(Vec<(String, String)>) -> ferror::Result<ListPage>,
) -> ferror::Result<Listing> {
    let mut listing = Listing::default();
    let mut token: Option<String> = None;
    // A page may be empty and not the last, so pages are bounded apart from objects.
    for _ in 0..=max_objects {
        let wanted = max_objects.saturating_sub(listing.objects.len()).clamp(1, MAX_PAGE_OBJECTS);
        let next = page(parameters(prefix, wanted, token.as_deref()))?;
        listing.objects.extend(next.objects);
        listing.truncated =
            next.continuation_token.is_some() || listing.objects.len() > max_objects;
        listing.objects.truncate(max_objects);
        match next.continuation_token {
            None => return Ok(listing),
            Some(_) if listing.objects.len() >= max_objects => return Ok(listing),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(Error::invalid("the server sends the same page again and again"));
            }
            Some(next) => token = Some(next),
        }
    }
    Err(Error::invalid("the server sends page after page without objects"))
}

/// Returns the query parameters of one page. `encoding-type=url` is not among them, since some
/// servers repeat it in their answer and encode nothing.
fn parameters(prefix: &str, max_keys: usize, token: Option<&str>) -> Vec<(String, String)> {
    let mut parameters = vec![
        ("list-type".to_owned(), "2".to_owned()),
        ("max-keys".to_owned(), max_keys.to_string()),
        ("prefix".to_owned(), prefix.to_owned()),
    ];
    if let Some(token) = token {
        parameters.push(("continuation-token".to_owned(), token.to_owned()));
    }
    parameters
}
