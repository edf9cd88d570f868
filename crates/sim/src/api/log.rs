//! Container logs.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;

use super::dispatch::Call;
use super::hooks::{Hooks, LogOptions};
use super::respond;
use crate::store::{Cause, Resource, Status, Stored, Subscription};

/// The container that is meant: the one that is named, or the only one.
pub(super) fn container(pod: &Stored, named: &str) -> Result<String, Status> {
    let value = pod.value();
    let names = |list: &str| -> Vec<String> {
        let items = value["spec"][list].as_array().into_iter().flatten();
        items.filter_map(|c| c["name"].as_str()).map(str::to_owned).collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let pod_name = &pod.meta.name;
    if !named.is_empty() {
        if containers.iter().chain(&inits).any(|c| c == named) {
            return Ok(named.to_owned());
        }
        return Err(Status::bad_request(format!("container {named} is not valid for pod {pod_name}")));
    }
    if let [only] = containers.as_slice() {
        return Ok(only.clone());
    }
    let all: Vec<&str> = inits.iter().chain(&containers).map(String::as_str).collect();
    Err(Status::bad_request(format!(
        "a container name must be specified for pod {pod_name}, choose one of: [{}]",
        all.join(" ")
    )))
}

/// Whether a container has run; the text of the real server where it has not.
fn started(pod: &Stored, container: &str, previous: bool) -> Result<(), Status> {
    let value = pod.value();
    let name = &pod.meta.name;
    let lists = ["containerStatuses", "initContainerStatuses"];
    let statuses = lists.iter().flat_map(|l| value["status"][*l].as_array().into_iter().flatten());
    let Some(status) = statuses.into_iter().find(|s| s["name"] == container) else {
        let why = format!("container {container:?} in pod {name:?} is not available");
        return if value["spec"]["nodeName"].is_string() { Err(Status::bad_request(why)) } else { Ok(()) };
    };
    if previous && !status["lastState"]["terminated"].is_object() {
        let why = format!("previous terminated container {container:?} in pod {name:?} not found");
        return Err(Status::bad_request(why));
    }
    let waiting = status["state"]["waiting"]["reason"].as_str();
    let never = !status["lastState"]["terminated"].is_object();
    match waiting {
        Some(reason) if never => {
            Err(Status::bad_request(format!("container {container:?} in pod {name:?} is waiting to start: {reason}")))
        }
        _ => Ok(()),
    }
}

/// What is asked of a log, or what is wrong with it.
pub(super) fn read_options(call: &Call<'_>) -> Result<LogOptions, Status> {
    let query = call.query;
    let mut causes = Vec::new();
    for (key, least, detail) in [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ] {
        if let Some(number) = query.number(key)?.filter(|n| *n < least) {
            causes.push(Cause::invalid(key, &number.into(), detail));
        }
    }
    if !causes.is_empty() {
        let name = call.place.name.as_deref().unwrap_or_default();
        return Err(Status::invalid_kind("", "PodLogOptions", name, &causes));
    }
    Ok(LogOptions {
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        since_seconds: query.number("sinceSeconds")?,
        since_time: Some(query.text("sinceTime")).filter(|t| !t.is_empty()).map(str::to_owned),
    })
}

/// `GET pods/NAME/log`.
pub(super) async fn get(call: &Call<'_>) -> Result<Response, Status> {
    let place = call.place;
    if place.resource != Resource::Pod {
        return Err(Status::no_such_path());
    }
    let store = &call.api.store;
    let name = place.name.as_deref().unwrap_or_default();
    let pod = store.get(Resource::Pod, &place.namespace, name)?;
    let options = read_options(call)?;
    let container = container(&pod, call.query.text("container"))?;
    if pod.meta.field("spec.nodeName").is_none_or(str::is_empty) {
        return Ok(respond::bytes(204, "text/plain", ""));
    }
    started(&pod, &container, options.previous)?;
    let text = call.api.hooks.log(&pod, &container, &options)?;
    let tail = call.query.number("tailLines")?.and_then(|n| usize::try_from(n).ok());
    let limit = call.query.number("limitBytes")?.and_then(|n| usize::try_from(n).ok());
    let shown = cut(&text, tail, limit);
    let plain = "text/plain";
    if !call.query.flag("follow") || options.previous {
        return Ok(respond::bytes(200, plain, shown));
    }
    let follower = Follower {
        hooks: call.api.hooks.clone(),
        changes: store.subscribe(Resource::Pod),
        uid: pod.meta.uid.clone(),
        container,
        options,
        seen: text.len(),
        first: Some(shown),
    };
    let body = stream::unfold(follower, |mut f| async move {
        f.next().await.map(|line| (Ok::<_, std::convert::Infallible>(line), f))
    });
    Ok(respond::bytes(200, plain, Body::from_stream(body)))
}

fn cut(text: &str, tail: Option<usize>, limit: Option<usize>) -> String {
    let mut out = match tail {
        Some(lines) => {
            let all: Vec<&str> = text.split_inclusive('\n').collect();
            all[all.len().saturating_sub(lines)..].concat()
        }
        None => text.to_owned(),
    };
    if let Some(limit) = limit {
        let mut end = limit.min(out.len());
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
    }
    out
}

/// Follows a log: whenever the pod changes, what has been added is sent; it ends with the pod.
struct Follower {
    hooks: std::sync::Arc<dyn Hooks>,
    changes: Subscription,
    uid: ecow::EcoString,
    container: String,
    options: LogOptions,
    seen: usize,
    first: Option<String>,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take().filter(|f| !f.is_empty()) {
            return Some(first.into());
        }
        loop {
            let change = self.changes.next().await?;
            if change.object.meta.uid != self.uid {
                continue;
            }
            if change.kind == crate::store::ChangeKind::Deleted {
                return None;
            }
            let text = self.hooks.log(&change.object, &self.container, &self.options).ok()?;
            if text.len() > self.seen {
                let added = text.get(self.seen..).unwrap_or_default().to_owned();
                self.seen = text.len();
                return Some(added.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_cut_from_their_end_and_then_to_size() {
        assert_eq!(cut("a\nb\nc\n", Some(2), None), "b\nc\n");
        assert_eq!(cut("a\nb\nc\n", None, Some(3)), "a\nb");
        assert_eq!(cut("ä", None, Some(1)), "");
    }
}
