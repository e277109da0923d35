//! The files of the page, which are in the program.

/// A file that browsers ask for.
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! assets {
    ($($name:literal: $content_type:literal,)*) => {
        /// The file of this name.
        pub(crate) fn find(name: &str) -> Option<Asset> {
            Some(match name {
                $($name => Asset { content_type: $content_type, text: include_str!(concat!("ui/", $name)) },)*
                _ => return None,
            })
        }
    };
}

assets! {
    "style.css": "text/css; charset=utf-8",
    "timeline.js": "text/javascript; charset=utf-8",
    "blocks.js": "text/javascript; charset=utf-8",
    "color.js": "text/javascript; charset=utf-8",
    "draw.js": "text/javascript; charset=utf-8",
    "input.js": "text/javascript; charset=utf-8",
    "inspector.js": "text/javascript; charset=utf-8",
    "lanes.js": "text/javascript; charset=utf-8",
    "time.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
}
